// The kernels as compiled for GPUs before sm_80: all other tests run what later ones run.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cudaSim } from '../support/devices.js';

describe('CUDA kernels for sm_75', function () {
  before(function () {
    if (cudaSim === undefined) this.skip();
  });

  it('pass the tests of the ops that have others for sm_80', function () {
    this.timeout(480_000);
    // Of the large cases that are there for tensor cores one of each kernel: without, their products take the
    // interpreter ten times as long.
    const cases = '^(?!.*standard, (k=5|valid|odd|groups|more)).*cuda_sim';
    const files = ['conv', 'ring_conv', 'float32_precision'].map((op) => `build-ts/test/ops/${op}.test.js`);
    const { status, stdout } = spawnSync(
      process.execPath,
      [
        join('node_modules', 'mocha', 'bin', 'mocha.js'),
        '--no-config',
        '--timeout',
        '60000',
        '--grep',
        cases,
        ...files,
      ],
      { encoding: 'utf8', env: { ...process.env, GMR_CUDA_SIM_ARCH: '75' } },
    );
    expect(status, stdout).to.equal(0);
    expect(Number(/(\d+) passing/.exec(stdout)?.[1])).to.be.greaterThan(100);
    expect(stdout).to.include('cuda_sim sm_75');
  });
});
