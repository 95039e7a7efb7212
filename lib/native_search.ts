// What is said where no native binary fits: what was looked for, what there is, and how to build one.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}

/** The C library of this process; its binaries do not load with another. */
export function cLibrary(): string {
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  const version = report.header.glibcVersionRuntime;
  return version === undefined ? 'no glibc (musl?)' : `glibc ${version}`;
}

/** The paths below `root`, as `linux-x64/gmr.glibc.node`, of all binaries there. */
function prebuilds(root: string): string[] {
  const folder = join(root, 'prebuilds');
  return namesIn(folder).flatMap((machine) =>
    namesIn(join(folder, machine))
      .filter((name) => name.endsWith('.node'))
      .map((name) => `prebuilds/${machine}/${name}`),
  );
}

/** @internal `root` is the package's folder. */
export function describeSearch(root: string): string {
  const searched = process.env['GMR_CONV_PREBUILD'] ?? root; // node-gyp-build's own variable
  const built = namesIn(join(searched, 'build', 'Release')).filter((name) => name.endsWith('.node'));
  const found = [...built.map((name) => `build/Release/${name}`), ...prebuilds(searched)];
  const platform = process.env['npm_config_platform'] ?? process.platform;
  const machine = `${platform}-${process.env['npm_config_arch'] ?? process.arch}`;
  return (
    `This is ${machine}, ${cLibrary()}, Node ${process.version}.\n` +
    `  Looked in ${searched}\n` +
    `  for       build/Release/*.node, then prebuilds/${machine}/*.node (for glibc 2.28 or newer)\n` +
    `  and found ${found.length === 0 ? 'none' : found.join(', ')}\n` +
    'To build it from source, with CMake 3.25 or newer and a C++20 compiler (GCC 12, Clang 19 or newer):\n' +
    `  cd ${/^[\w./-]+$/.test(root) ? root : JSON.stringify(root)}\n` +
    '  npm install\n' +
    '  npm run build'
  );
}
