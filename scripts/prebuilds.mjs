// npm run prebuilds: the binaries of a release, into prebuilds/linux-x64, where node-gyp-build finds them.
//   --quick        the CUDA library for one GPU and PTX alone, which compiles in a fraction of the time
//   --twice        builds a second time, and fails where the bytes differ
//   --arch arm64   cross-compiles into prebuilds/linux-arm64, without CUDA; needs g++-aarch64-linux-gnu
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installPackages, root, runMain, step, StepFailed } from './steps.mjs';
import { makeSysroot } from './sysroot.mjs';
import { checkFloor } from './symbol_floor.mjs';

const cudaArchitectures = '75-real;80-real;86-real;89-real;90-real;100-real;120-real;120-virtual';
const machines = {
  x64: { debian: 'amd64', gnu: 'x86_64' },
  arm64: { debian: 'arm64', gnu: 'aarch64' },
};

/** What the binaries say that they were made from; no spaces, since it passes through a shell. */
function commit() {
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';
  const hash = git('rev-parse', 'HEAD') || 'unknown';
  return git('status', '--porcelain', '--untracked-files=no') === '' ? hash : `${hash}+changes`;
}

/** Builds, copies and checks the binaries of one architecture; resolves to their folder. */
export async function makePrebuilds({ arch, quick, heading }) {
  const machine = machines[arch];
  if (machine === undefined) throw new StepFailed(`Expected --arch to be x64 or arm64, received ${arch}.`);
  // Paths of it pass through prebuildify and a shell, as words.
  if (/\s/.test(root))
    throw new StepFailed(`Expected the path of the checkout to be without spaces, received '${root}'.`);
  const work = join(root, 'build-prebuilds');
  const name = `linux-${arch}`;
  const sysroot = join(work, `sysroot-${arch}`);
  makeSysroot(sysroot, machine.debian);
  mkdirSync(join(work, name), { recursive: true });
  const folder = join(root, 'prebuilds', name);
  rmSync(folder, { recursive: true, force: true });

  const source = commit();
  const options = [
    `CMAKE_TOOLCHAIN_FILE=${join(root, 'cmake', 'release.cmake')}`,
    `GMR_ARCH=${machine.gnu}`,
    `GMR_SYSROOT=${sysroot}`,
    'GMR_BENCH=OFF',
    'GMR_STRESS=OFF',
    'GMR_CUDA_SIM=OFF',
    `GMR_COMMIT=${source}`,
    `GMR_CUDA=${arch === 'x64' ? 'ON' : 'OFF'}`,
    ...(quick ? [] : [`GMR_CUDA_ARCHITECTURES=${cudaArchitectures}`]),
  ];
  process.env.GMR_CMAKE_ARGUMENTS = options.map((option) => `--CD${option}`).join(' ');
  const output = await step(heading, join('node_modules', '.bin', 'prebuildify'), [
    '--napi',
    '--name=gmr',
    '--tag-libc',
    `--arch=${arch}`,
    '--platform=linux',
    '--strip',
    `--strip-bin=${machine.gnu}-linux-gnu-strip`,
    `--cwd=${join(work, name)}`,
    `--out=${root}`,
    `--node-gyp=${join(root, 'scripts', 'cmake_js_shim.sh')}`,
  ]);
  const cuda = /CUDA backend: .*/.exec(output);
  if (cuda !== null) console.log(`  ${cuda[0]}`);

  const files = readdirSync(folder).map((file) => join(folder, file));
  for (const file of files) {
    console.log(`  ${(statSync(file).size / 1e6).toFixed(2).padStart(6)} MB  ${file.slice(root.length + 1)}`);
  }
  const stale = files.filter((file) => !readFileSync(file).includes(source));
  const problems = [...stale.map((file) => `${file}: expected it to be from ${source}`), ...checkFloor(files)];
  if (problems.length > 0) throw new StepFailed(problems.join('\n'));
  return folder;
}

function hashes(folder) {
  const hash = (name) =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
  return new Map(readdirSync(folder).map((name) => [name, hash(name)]));
}

if (process.argv[1] === import.meta.filename) {
  await runMain(async () => {
    const flag = { type: 'boolean', default: false };
    const { values } = parseArgs({
      options: { arch: { type: 'string', default: process.arch }, quick: flag, twice: flag },
    });
    await installPackages('[1/2] Packages');
    if (values.twice) process.env.CCACHE_DISABLE = '1'; // it would hand out the first build's objects
    const folder = await makePrebuilds({ ...values, heading: '[2/2] Binaries' });
    if (values.twice) {
      const first = hashes(folder);
      await makePrebuilds({ ...values, heading: '[2/2] Binaries again' });
      const differing = [...hashes(folder)].filter(([name, hash]) => first.get(name) !== hash);
      if (differing.length > 0)
        throw new StepFailed(`Expected the same bytes again: ${differing.map(([name]) => name).join(', ')} differ.`);
      console.log('The same bytes both times.');
    }
    return 0;
  });
}
