// Allocator, stream, pool of threads, and a GPU's uploads and reads strained from many threads: by gmr_stress, which lies
// beside the addon.
// `npm run test:sanitize -- --thread` runs it under ThreadSanitizer.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addonPath, native } from '../../lib/native.js';

const folder = dirname(addonPath());
const executable = join(folder, 'gmr_stress');
function run(command: string, args: readonly string[]): void {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 120_000,
  });
  expect(status, `${error?.message ?? signal ?? ''}\n${stdout}${stderr}`).to.equal(0);
  expect(stdout).to.equal('ok allocator\nok streams\nok failures\nok endings\n');
}

describe('stress', function () {
  this.timeout(130_000);
  if (!existsSync(executable)) {
    it.skip('skipped: this build has no gmr_stress, as builds with sanitizers have not');
    return;
  }
  const levels = native()
    .cpuLevels()
    .filter(({ name }) => native().tryCpuLevel(name).problem === '')
    .map(({ name, library }) => [name, library] as const);
  const interpreter = ['cuda_sim', 'libgmr_cuda_sim.so'] as const;
  const backends = existsSync(join(folder, interpreter[1])) ? [...levels, interpreter] : levels;

  for (const [name, library] of backends) {
    it(`allocator, streams and pool hold on many threads (${name})`, () => {
      run(executable, [join(folder, library), name === 'cuda_sim' ? '30' : '200']);
    });
  }

  const [least, leastLibrary] = levels.at(-1)!; // valgrind does not know the instructions of every level
  const hasValgrind = spawnSync('valgrind', ['--version']).status === 0;
  const why = hasValgrind ? '' : '; skipped: valgrind is not installed';
  (hasValgrind ? it : it.skip)(`valgrind finds no misuse of memory (${least}${why})`, () => {
    const checks = ['-q', '--error-exitcode=9', '--leak-check=full', '--show-leak-kinds=definite'];
    run('valgrind', [...checks, '--errors-for-leak-kinds=definite', executable, join(folder, leastLibrary), '3']);
  });
});
