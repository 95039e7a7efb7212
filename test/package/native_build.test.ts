// How native code is built: that options reach CMake, and what it says of the CUDA backend.
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { addonPath } from '../../lib/native.js';

describe('native build', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
  after(() => rmSync(folder, { recursive: true }));

  // cmake-js gives options to CMake where it configures; its `compile` does that for the first build alone.
  it('configures each time, so that options hold for a build that is there', () => {
    const bin = join(folder, 'node_modules', '.bin');
    mkdirSync(bin, { recursive: true });
    copyFileSync('package.json', join(folder, 'package.json'));
    writeFileSync(join(bin, 'cmake-js'), '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
    const args = ['run', '--silent', 'build:native', '--', '--CDGMR_CUDA=ON', '--CDTEXT=two words'];
    expect(execFileSync('npm', args, { cwd: folder, encoding: 'utf8' }).split('\n')).to.deep.equal([
      'configure --parallel 2 --CDGMR_CUDA=ON --CDTEXT=two words',
      'build --parallel 2 --CDGMR_CUDA=ON --CDTEXT=two words',
      '',
    ]);
  });

  describe('of the CUDA backend', () => {
    const build = join(folder, 'build');
    /** What CMake says of it; the options of an earlier call hold. */
    function configure(environment: Record<string, string>, ...options: string[]): string | undefined {
      const args = ['-S', '.', '-B', build, '-DGMR_ADDON=OFF', '-DGMR_BENCH=OFF', '-DGMR_STRESS=OFF', ...options];
      const { LD_PRELOAD: _, ...rest } = process.env; // a sanitizer's runtime is not for compilers
      const env = { ...rest, ...environment };
      const output = execFileSync('cmake', args, { env, encoding: 'utf8', stdio: 'pipe' });
      return /^-- CUDA backend: (.*)$/m.exec(output)?.[1];
    }

    it('left out because it was turned off: where that stands, and how to turn it on', () => {
      const told =
        `left out, GMR_CUDA=OFF in ${join(build, 'CMakeCache.txt')}; ` +
        '`npm run build:native -- --CDGMR_CUDA=ON` makes it';
      expect(configure({}, '-DGMR_CUDA=OFF')).to.equal(told);
      expect(configure({})).to.equal(told);
    });

    it('left out because there is no nvcc, until there is one', function () {
      const told = 'left out, there is no nvcc on PATH, in CUDACXX or in /usr/local/cuda/bin';
      expect(configure({ CUDACXX: join(folder, 'nvcc') }, '-DGMR_CUDA=ON')).to.equal(told);
      const cache = readFileSync(join(dirname(addonPath()), '..', 'CMakeCache.txt'), 'utf8');
      const nvcc = /^(?:CMAKE_CUDA_COMPILER|GMR_NVCC):\w+=(\/.*)$/m.exec(cache)?.[1];
      if (nvcc === undefined) {
        console.log('native build: with an nvcc not tried, there is none');
        return this.skip();
      }
      expect(configure({ CUDACXX: nvcc })).to.match(/^made with nvcc \d+\.\d+\.\d+ for [\w;-]+$/);
    });
  });
});
