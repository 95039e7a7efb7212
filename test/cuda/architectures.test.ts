// The kernels as compiled for other GPUs than the sm_80 that all tests run: each family's PTX, where what a kernel does
// may depend on __CUDA_ARCH__.
import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runChild } from '../support/child.js';
import { cudaSim } from '../support/devices.js';

const profiler = join(process.cwd(), 'build', 'Release', 'gmr_profile');
const controlUrl = new URL('../support/cuda_sim.js', import.meta.url).href;
const { LD_PRELOAD: _, ...environment } = process.env;

interface Run {
  status: number;
  stdout: string;
  stderr: string;
}

// The programs take a core each, and a minute or two: as many at a time as there are cores.
let freeCores = availableParallelism();
const waiting: (() => void)[] = [];

async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  if (freeCores > 0) freeCores -= 1;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  return new Promise((resolve) => {
    execFile(program, args, { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const next = waiting.shift();
      if (next === undefined) freeCores += 1;
      else next();
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

function runMocha(arch: string, grep: string, ops: readonly string[]): Promise<Run> {
  const mocha = [join('node_modules', 'mocha', 'bin', 'mocha.js'), '--no-config', '--timeout', '60000'];
  const files = ops.map((op) => `build-ts/test/ops/${op}.test.js`);
  return run(process.execPath, [...mocha, '--grep', grep, ...files], { ...process.env, GMR_CUDA_SIM_ARCH: arch });
}

async function expectPassed(running: Promise<Run>, arch: string, least: number): Promise<void> {
  const { status, stdout } = await running;
  expect(status, stdout).to.equal(0);
  expect(Number(/(\d+) passing/.exec(stdout)?.[1])).to.be.greaterThan(least);
  expect(stdout).to.include(`cuda_sim sm_${arch}`);
}

// Before sm_80 there are no tensor cores and no asynchronous copies that kernels use. Of the large cases that are there
// for tensor cores one of each kernel: without, their products take the interpreter ten times as long.
const casesOf75 = '^(?!.*standard, (k=5|valid|odd|groups|many|more than 64, k=5)).*cuda_sim';
// sm_90 has tensor cores that are fast enough for precision high, sm_120 has not (docs/cuda.md). sm_100 has them too, and
// no code of its own: its checks are enough.
const casesAtHigh = String.raw`(\bmany|several|groups|k=[579]\b|at the call).*cuda_sim`;

describe('CUDA kernels for other GPUs', function () {
  this.timeout(480_000);
  const checks = new Map<string, Promise<Run>>();
  const atHigh = new Map<string, Promise<Run>>();
  let convolutionsOf75: Promise<Run>;

  before(function () {
    if (cudaSim === undefined) this.skip();
    convolutionsOf75 = runMocha('75', casesOf75, ['conv', 'ring_conv', 'float32_precision']); // the longest first
    for (const arch of ['90', '120']) atHigh.set(arch, runMocha(arch, casesAtHigh, ['float32_precision']));
    if (!existsSync(profiler)) return;
    for (const arch of ['75', '90', '100', '120']) {
      const args = ['--check', '--device', 'cuda_sim', '--against', 'cpu'];
      checks.set(arch, run(profiler, args, { ...environment, GMR_CUDA_SIM_ARCH: arch }));
    }
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

    it(`every pass agrees with the processor on sm_${arch}`, async function () {
      const running = checks.get(arch);
      if (running === undefined) {
        console.log(`sm_${arch}: not checked, gmr_profile was not built (CMake option GMR_BENCH)`);
        return this.skip();
      }
      const { status, stdout, stderr } = await running;
      expect(status, stdout + stderr).to.equal(0);
      expect(stdout).to.include(`sm_${arch}`);
      const [, agree, all] = /^(\d+) of (\d+) cases agree/m.exec(stdout)!;
      expect(Number(all)).to.be.greaterThan(700);
      expect(agree).to.equal(all);
      // Others lack the shared memory of some kernels, or fast TF32.
      if (arch === '90' || arch === '100') expect(stdout).to.match(/^(\d+) of \1 kernels were launched$/m);
      expect(stderr).to.equal('');
    });
  }

  it('the cases of the convolutions on sm_75', () => expectPassed(convolutionsOf75, '75', 100));

  for (const arch of ['90', '120']) {
    it(`cases of each kernel at precision high on sm_${arch}`, () => expectPassed(atHigh.get(arch)!, arch, 30));
  }
});
