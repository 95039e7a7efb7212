import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Binding } from '../binding.js';
import { GmrError, type GmrErrorCode } from './errors.js';

/** The package's own folder: the nearest one above this file with our package.json. */
function packageRoot(): string {
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

let loaded: Binding | undefined;

/** The addon, loaded at first use. */
export function native(): Binding {
  if (loaded !== undefined) return loaded;
  const root = packageRoot();
  const require = createRequire(import.meta.url);
  const load = require('node-gyp-build') as (folder: string) => Binding;
  try {
    loaded = load(root);
  } catch (error) {
    throw new GmrError(
      'native_missing',
      `[gmr] found no native binary for ${process.platform}-${process.arch} in ${root} ` +
        '(looked in prebuilds/ and build/Release/). In a clone of the repository, `npm run build` makes one; it needs CMake and ' +
        'a C++20 compiler. ' +
        `The loader said: ${(error as Error).message}`,
      { cause: error },
    );
  }
  return loaded;
}
