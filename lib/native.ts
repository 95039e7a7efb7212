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

let loaded: Binding | undefined;

/** The addon, loaded at first use. */
export function native(): Binding {
  if (loaded !== undefined) return loaded;
  const path = addonPath();
  try {
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
    .flatMap(({ name, problem }) => (problem === '' ? [name] : []));
}
