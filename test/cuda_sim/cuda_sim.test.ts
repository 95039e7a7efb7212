// The simulator of CUDA kernels: each line of build/Release/cuda_sim_tests is a test.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const executable = join(process.cwd(), 'build', 'Release', 'cuda_sim_tests');

describe('cuda_sim', () => {
  if (!existsSync(executable)) {
    const reason = 'there was no nvcc when native code was built, so there is no cuda_sim_tests';
    console.log(`cuda_sim: skipped, ${reason}`);
    it.skip(reason);
    return;
  }
  // Without a sanitizer's runtime: the simulator handles the signals of accesses that it forbids itself.
  const { LD_PRELOAD: _, ...env } = process.env;
  const { stdout, stderr, status, signal } = spawnSync(executable, { encoding: 'utf8', timeout: 240_000, env });
  const lines = stdout.split('\n').filter((line) => line !== '');
  for (const line of lines.slice(0, -1)) {
    const match = /^(ok|FAIL) ([^:]+)(?:: (.*))?$/.exec(line);
    it(match?.[2] ?? line, () => {
      expect(match?.[1], match?.[3] ?? line).to.equal('ok');
    });
  }

  it('runs to its end', () => {
    expect(status, `${signal ?? ''} ${stderr}`).to.equal(0);
    expect(lines.at(-1)).to.match(/^[1-9]\d* passed, 0 failed$/);
  });
});
