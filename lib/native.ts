import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Binding } from '../binding.js';
import { GmrError, type GmrErrorCode } from './errors.js';
import { describeSearch } from './native_search.js';

/** The package's own folder: the nearest one above this file with our package.json. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string }).name === 'gmr-conv') {
      return folder;
    }
    const parent = dirname(folder);
    if (parent === folder)
      throw new GmrError('native_missing', '[gmr] found no package.json of gmr-conv above its code');
    folder = parent;
  }
}

export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
}

/** Turns what native code throws into a GmrError. */
export function toGmrError(error: unknown): GmrError {
  if (error instanceof GmrError) return error;
  const { message, code } = error as { message?: string; code?: GmrErrorCode };
  return new GmrError(code ?? 'device_failure', message ?? String(error), { cause: error });
}

/** Calls native code and turns what it throws into a GmrError. */
export function attempt<T>(fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    throw toGmrError(error);
  }
}

const require = createRequire(import.meta.url);

/** Where gmr.node is: a build of one's own in build/Release, or what the package brings in prebuilds/. */
export function addonPath(): string {
  const root = packageRoot();
  const { resolve } = require('node-gyp-build') as { resolve: (folder: string) => string };
  try {
    return resolve(root);
  } catch (error) {
    throw new GmrError('native_missing', `[gmr] expected a native binary. ${describeSearch(root)}`, { cause: error });
  }
}

/** How an ELF file is cut off, or ''; as native/backend/backend_library.cc has it for the other libraries. */
function howCutOff(path: string): string {
  const file = readFileSync(path);
  if (file.length < 64 || file.readUInt32BE() !== 0x7f454c46) return ''; // dlopen says what it is
  const headers = Number(file.readBigUInt64LE(0x20));
  const count = file.readUInt16LE(0x38);
  let needed = headers + 56 * count;
  for (let i = 0; needed <= file.length && i < count; ++i) {
    const segment = file.subarray(headers + 56 * i);
    if (segment.readUInt32LE() !== 1) continue; // PT_LOAD
    needed = Math.max(needed, Number(segment.readBigUInt64LE(8) + segment.readBigUInt64LE(32)));
  }
  return needed <= file.length ? '' : `expected at least ${needed} bytes, received ${file.length}: the file is cut off`;
}

let loaded: Binding | undefined;

/** The addon, loaded at first use. */
export function native(): Binding {
  if (loaded !== undefined) return loaded;
  const path = addonPath();
  try {
    const cutOff = howCutOff(path);
    if (cutOff !== '') throw new Error(cutOff);
    loaded = require(path) as Binding;
  } catch (error) {
    throw new GmrError(
      'native_missing',
      `[gmr] expected ${path} to load: ${(error as Error).message}. ${describeSearch(packageRoot())}`,
      { cause: error },
    );
  }
  return loaded;
}

/** The CPU levels that this machine can run, best first. */
export function usableCpuLevels(): string[] {
  return native()
    .cpuLevels()
    .flatMap(({ name }) => (native().tryCpuLevel(name).problem === '' ? [name] : []));
}
