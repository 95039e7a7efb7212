import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository, seen from build-ts/bench/support. */
export const repository = fileURLToPath(new URL('../../../', import.meta.url));

export const peerFolder = join(repository, 'bench', 'peer');

/** Loads what is installed for the peer. */
export const peerRequire = createRequire(join(peerFolder, 'package.json'));
