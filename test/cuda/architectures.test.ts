// The kernels as compiled for other GPUs than the sm_80 that all tests run: each family's PTX, where what a kernel does
// may depend on __CUDA_ARCH__.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from '../support/child.js';
import { cudaSim } from '../support/devices.js';

const release = join(process.cwd(), 'build', 'Release');
const controlUrl = new URL('../support/cuda_sim.js', import.meta.url).href;
const { LD_PRELOAD: _, ...environment } = process.env;

function runMocha(arch: string, grep: string, ops: readonly string[]): { passed: number; output: string } {
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      join('node_modules', 'mocha', 'bin', 'mocha.js'),
      '--no-config',
      '--timeout',
      '60000',
      '--grep',
      grep,
      ...ops.map((op) => `build-ts/test/ops/${op}.test.js`),
    ],
    { encoding: 'utf8', env: { ...process.env, GMR_CUDA_SIM_ARCH: arch } },
  );
  expect(status, stdout).to.equal(0);
  return { passed: Number(/(\d+) passing/.exec(stdout)?.[1]), output: stdout };
}

describe('CUDA kernels for other GPUs', function () {
  this.timeout(240_000);
  before(function () {
    if (cudaSim === undefined) this.skip();
  });

  for (const arch of ['75', '90', '100', '120']) {
    it(`sm_${arch} runs PTX of its own`, async () => {
      const { stdout, stderr } = await runChild(
        `
        const { cudaSimControl } = await import(${JSON.stringify(controlUrl)});
        const device = gmr.Device.open('cuda_sim');
        cudaSimControl().setCounting(true);
        await gmr.ops.activation(gmr.tensor([1], undefined, { device })).data();
        console.log(device.level, JSON.parse(cudaSimControl().counters()).ptx);`,
        { GMR_CUDA_SIM_ARCH: arch },
      );
      expect(stdout.trim(), stderr).to.equal(`sm_${arch} ${arch}`);
    });

    it(`every pass agrees with the processor on sm_${arch}`, function () {
      if (!existsSync(join(release, 'gmr_profile'))) {
        console.log(`sm_${arch}: not checked, gmr_profile was not built (CMake option GMR_BENCH)`);
        return this.skip();
      }
      const { status, stdout, stderr } = spawnSync(
        join(release, 'gmr_profile'),
        ['--check', '--device', 'cuda_sim', '--against', 'cpu'],
        { encoding: 'utf8', env: { ...environment, GMR_CUDA_SIM_ARCH: arch } },
      );
      expect(status, stdout + stderr).to.equal(0);
      expect(stdout).to.include(`sm_${arch}`);
      const [, agree, all] = /^(\d+) of (\d+) cases agree/m.exec(stdout)!;
      expect(Number(all)).to.be.greaterThan(100);
      expect(agree).to.equal(all);
      expect(stderr).to.equal('');
    });
  }

  // Before sm_80 there are no tensor cores and no asynchronous copies that kernels use.
  it('the cases of the convolutions on sm_75', () => {
    // Of the large cases that are there for tensor cores one of each kernel: without, their products take the
    // interpreter ten times as long.
    const cases = '^(?!.*standard, (k=5|valid|odd|groups|more)).*cuda_sim';
    const { passed, output } = runMocha('75', cases, ['conv', 'ring_conv', 'float32_precision']);
    expect(passed).to.be.greaterThan(100);
    expect(output).to.include('cuda_sim sm_75');
  });

  // sm_90 and sm_100 have tensor cores that are fast enough for precision high, sm_120 has not (docs/cuda.md).
  for (const arch of ['90', '100', '120']) {
    it(`cases of each kernel at precision high on sm_${arch}`, () => {
      const subset = String.raw`(\bmany|several|groups|k=[579]\b|at the call).*cuda_sim`;
      const { passed, output } = runMocha(arch, subset, ['float32_precision']);
      expect(passed).to.be.greaterThan(30);
      expect(output).to.include(`cuda_sim sm_${arch}`);
    });
  }
});
