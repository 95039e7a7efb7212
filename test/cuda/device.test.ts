// CUDA devices: what is said where one cannot be used, and how one fails.
import { expect } from 'chai';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Binding } from '../../binding.js';
import * as gmr from '../../lib/index.js';
import { addonPath } from '../../lib/native.js';
import { linesOf, runChild } from '../support/child.js';
import { cudaError } from '../support/cuda_sim.js';
import { cudaSim, devices } from '../support/devices.js';
import { expectFailure, expectRejection } from '../support/failure.js';
import { heldMemory } from '../support/memory.js';

const binaries = dirname(addonPath());

describe('devices', () => {
  it('refuses what names none', async () => {
    for (const name of ['gpu', 'cuda:', 'cuda:x', 'cuda:-1', 'cuda:99999', 'CUDA', 'cuda_sim', '', 3, null]) {
      const expected = "[device] expected device to be 'auto', 'cpu', 'cuda', 'cuda:<index>' or a Device, received";
      await expectRejection(gmr.device(name as never), 'invalid_argument', expected);
    }
  });

  it('auto is one device, which can be printed', async () => {
    const device = await gmr.device('auto');
    expect(await gmr.device()).to.equal(device);
    expect(String(device)).to.match(/^(cpu \(.+, \d+ threads?\)|cuda:0 \(.+, sm_\d+, .+ GiB\))$/);
    expect(await gmr.device('cpu')).to.equal(await gmr.device('cpu'));
  });

  it('says why there is no GPU', async function () {
    if (devices.some(({ kind }) => kind === 'cuda')) this.skip();
    const error: unknown = await gmr.device('cuda').catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(gmr.GmrError);
    expect((error as gmr.GmrError).code).to.be.oneOf(['backend_missing', 'device_unavailable']);
    expect((error as gmr.GmrError).message).to.match(
      /^\[device\] expected .+: (install|update|check|this build has none)/,
    );
  });
});

describe('a package without a CUDA library', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
  after(() => rmSync(folder, { recursive: true }));
  const addon = join(folder, 'gmr.node');
  const openCuda = (): unknown => (createRequire(import.meta.url)(addon) as Binding).openDeviceSync('cuda', 0, false);

  it('names the library and how to get it, or what is wrong with it', () => {
    copyFileSync(addonPath(), addon);
    expect(openCuda)
      .to.throw(
        /expected the CUDA backend libgmr_cuda.so beside gmr.node: this build has none.*`npm run build:native -- --CDGMR_CUDA=ON` makes one$/,
      )
      .with.property('code', 'backend_missing');
    writeFileSync(join(folder, 'libgmr_cuda.so'), 'no library'.repeat(100));
    expect(openCuda)
      .to.throw(/beside gmr.node to load: .*invalid ELF header/)
      .with.property('code', 'backend_broken');
  });
});

/** Runs `body` in a process of its own, with `device`, an interpreted GPU, open unless `body` opens it. */
async function onCudaSim(body: string, environment: Record<string, string>): Promise<string> {
  const library = new URL('../../lib/index.js', import.meta.url).href;
  const source = `
    const { Device } = await import(${JSON.stringify(library)});
    const attempt = async (fn) => { try { return String(await fn()); } catch (e) { return e.code + ' ' + e.message; } };
    const open = () => Device.open('cuda_sim');
    ${body}`;
  const result = await runChild(source, { GMR_CUDA_SIM_QUIET: '1', ...environment });
  expect(result.code, result.stderr).to.equal(0);
  return result.stdout.trim();
}

describe('CUDA devices that cannot be used', function () {
  before(function () {
    if (cudaSim === undefined) this.skip();
  });

  const refusals: Record<string, { environment: Record<string, string>; index?: number; message: string }> = {
    'no driver': {
      environment: { GMR_CUDA_SIM_DRIVER: '0' },
      message:
        'expected an NVIDIA driver, but this machine has none: install one (nvidia-smi shows it); in a container, start it with its ' +
        'GPUs (--gpus all)',
    },
    'a driver that is too old': {
      environment: { GMR_CUDA_SIM_DRIVER: '12080' },
      message: 'expected a driver for CUDA 13.0 or newer, this one is for CUDA 12.8: update the NVIDIA driver',
    },
    'no GPU': {
      environment: { GMR_CUDA_SIM_DEVICES: '0' },
      message: 'expected a GPU, the driver shows none: check CUDA_VISIBLE_DEVICES and nvidia-smi',
    },
    'a driver that fails': {
      environment: { GMR_CUDA_SIM_FAIL: `cudaGetDeviceCount:0:${cudaError.launchFailure}` },
      message:
        'expected a usable GPU, the driver says cudaErrorLaunchFailure: unspecified launch failure: check nvidia-smi and dmesg',
    },
    'a GPU older than what nvcc 13 compiles for': {
      environment: { GMR_CUDA_SIM_ARCH: '70' },
      message:
        'expected CUDA simulator 7.0 (compute capability 7.0) to be of compute capability 7.5 or newer, which CUDA 13 needs: use ' +
        'another GPU, or the processor',
    },
    'an index beyond the only GPU': {
      environment: {},
      index: 3,
      message: "expected a device index below 1, the number of GPUs here ('cuda:0'), received 3",
    },
    'an index beyond two': {
      environment: { GMR_CUDA_SIM_DEVICES: '2' },
      index: 2,
      message: "expected a device index below 2, the number of GPUs here ('cuda:0', 'cuda:1'), received 2",
    },
    'an index beyond eight': {
      environment: { GMR_CUDA_SIM_DEVICES: '8' },
      index: 8,
      message: "expected a device index below 8, the number of GPUs here ('cuda:0' to 'cuda:7'), received 8",
    },
  };
  for (const [name, { environment, index = 0, message }] of Object.entries(refusals)) {
    it(name, async () => {
      const body = `console.log(await attempt(() => Device.open('cuda_sim', ${index})));`;
      expect(await onCudaSim(body, environment)).to.equal(`device_unavailable [device] ${message}`);
    });
  }

  it('a newer driver of the same CUDA, or of a later one, serves', async () => {
    for (const GMR_CUDA_SIM_DRIVER of ['13000', '13020', '14000']) {
      expect(await onCudaSim('console.log(open().level);', { GMR_CUDA_SIM_DRIVER })).to.equal('sm_80');
    }
  });
});

describe('two GPUs of one kind', function () {
  before(function () {
    if (cudaSim === undefined) this.skip();
  });

  it('work beside each other, and refuse the tensors of the other', async () => {
    const output = await onCudaSim(
      `
      const [first, second] = [0, 1].map((index) => Device.open('cuda_sim', index));
      const on = (device) => gmr.tensor([[1, 2, 3]], undefined, { device });
      console.log(await attempt(() => gmr.ops.add(on(first), on(second))));
      const layer = new gmr.nn.Linear(3, 1, { bias: false, device: first, generator: new gmr.Generator(1) });
      console.log(await attempt(() => layer.forward(on(second))));
      const here = await layer.forward(on(first)).data();
      await layer.to(second);
      const there = await layer.forward(on(second)).data();
      console.log(here[0] === there[0], gmr.memory(first).bytes > 0, String(second));`,
      { GMR_CUDA_SIM_DEVICES: '2' },
    );
    const [add, linear, both] = output.split('\n');
    const [first, second] = [0, 1].map((index) => `cuda_sim:${index} (CUDA simulator 8.0, sm_80, 8.0 GiB)`);
    expect(add).to.equal(
      `device_mismatch [add] expected b to be on ${first}, where { device } or model.to(device) puts it, received "${second}"`,
    );
    expect(linear).to.match(/^device_mismatch \[conv\] expected w to be on cuda_sim:1 /);
    expect(both).to.equal(`true true ${second}`);
  });
});

describe('CUDA devices that fail', function () {
  before(function () {
    if (cudaSim === undefined) this.skip();
  });

  it('a failed launch is named, with its shape; the device stays failed; others go on', async () => {
    const output = await onCudaSim(
      `
      const device = open();
      const x = gmr.tensor([1, 2, 3], undefined, { device });
      console.log(await attempt(() => gmr.ops.add(x, x).data()));
      console.log(await attempt(() => gmr.ops.activation(x).data()));
      console.log(await attempt(() => gmr.ops.activation(x).data()));
      console.log(await attempt(() => gmr.ops.add(gmr.tensor([1]), gmr.tensor([1])).data()));`,
      { GMR_CUDA_SIM_FAIL: `cudaLaunchKernel:2:${cudaError.launchFailure}` },
    );
    const [first, second, third, cpu] = output.split('\n');
    expect(first).to.equal('2,4,6');
    expect(second).to.include(
      'device_failure [activation] the GPU failed in the launch of activation_forward_kernel<<<1, ',
    );
    expect(second).to.include('cudaErrorLaunchFailure');
    expect(second).to.include('the last kernel that was launched before is add_forward_kernel<<<1, 256, 0>>>');
    expect(third).to.equal(second);
    expect(cpu).to.equal('2');
  });

  it('missing memory: the cache is emptied first, then an error with the numbers; the device goes on', async () => {
    const mebibyte = 2 ** 20;
    const output = await onCudaSim(
      `
      const device = open();
      const zeros = (mebibytes) => gmr.tensor(new Float32Array(mebibytes * ${mebibyte / 4}), undefined, { device });
      const first = zeros(20);
      await first.data();
      first.dispose();
      const second = zeros(24); // fits only without what the first left behind
      console.log((await second.data()).length);
      console.log(await attempt(() => gmr.ops.activation(second).data()));
      console.log(await attempt(() => gmr.ops.activation(gmr.tensor([-1, 2], undefined, { device })).data()));`,
      { GMR_CUDA_SIM_MEMORY: String(32 * mebibyte) },
    );
    const [length, failure, next] = output.split('\n');
    expect(length).to.equal(String((24 * mebibyte) / 4));
    expect(failure).to.match(
      /^out_of_memory \[activation\] expected 25165824 bytes to be available, .+: tensors hold 25165824 bytes, the cache 0, /,
    );
    expect(failure).to.include(
      "of at most 33554432 (the device's own): take a smaller batch, free tensors sooner (scope, dispose), or end what else uses this memory",
    );
    expect(next).to.equal('0,2');
  });
});

describe('CUDA uploads', function () {
  before(function () {
    if (cudaSim === undefined) this.skip();
  });
  // One that goes over a stream of its own, more than once so that what it goes through is used again.
  const uploads = `
    const device = open();
    const count = 60_000;
    const tensors = Array.from({ length: 40 }, (_, i) => {
      const x = gmr.tensor(new Float32Array(count).fill(i), undefined, { device });
      return gmr.ops.add(x, x);
    });
    const wrong = async () => {
      const read = await Promise.all(tensors.map((tensor) => tensor.data()));
      return read.filter((data, i) => data.some((value) => value !== 2 * i)).length;
    };
    console.log(await attempt(wrong));`;

  it('are ordered between the streams', async () => {
    expect(await onCudaSim(uploads, {})).to.equal('0');
  });

  // As if the code had forgotten to wait: the interpreter finds each.
  for (const [wait, what] of [
    ['cudaStreamWaitEvent', 'the compute stream for what arrives'],
    ['cudaEventQuery', 'the host for what leaves its buffers'],
  ] as const) {
    it(`wait: ${what}`, async () => {
      const output = await onCudaSim(uploads, { GMR_CUDA_SIM_FAIL: `${wait}:0:0` });
      expect(output).to.include('device_failure').and.to.include('cudaErrorLaunchFailure');
    });
  }

  it('of all sizes arrive whole, also where buffers are free for them', async () => {
    for (let round = 0; round < 3; ++round) {
      for (const count of [1, 100, 16_384, 16_385, 500_000, 2_200_000]) {
        const values = Float32Array.from({ length: count }, (_, i) => (i % 1021) + round);
        using x = gmr.tensor(values, undefined, { device: cudaSim });
        values.fill(-1); // copied at the call
        const data = await x.data();
        expect(
          data.every((value, i) => value === (i % 1021) + round),
          `${count} elements`,
        ).to.equal(true);
      }
    }
  });

  it('that are dropped when their environment ends leave the device as it was', async () => {
    const library = new URL('../../lib/index.js', import.meta.url).href;
    const source = `import(${JSON.stringify(library)}).then(async (gmr) => {
      const device = gmr.Device.open('cuda_sim');
      for (let i = 0; i < 3; ++i) await gmr.tensor(new Float32Array(1e6), undefined, { device }).data();
      for (let i = 0; i < 50; ++i) gmr.tensor(new Float32Array(1e6), undefined, { device });
      (await import('node:worker_threads')).parentPort.postMessage('queued');
      setInterval(() => {}, 1000);
    });`;
    const output = await onCudaSim(
      `
      const { Worker } = await import('node:worker_threads');
      const worker = new Worker(${JSON.stringify(source)}, { eval: true });
      await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();
      const x = gmr.tensor([1.5], undefined, { device: open() });
      console.log(await gmr.ops.add(x, x).item());`,
      {},
    );
    expect(output).to.equal('3');
  });
});

/** A folder that stands for the package, with the processor's binaries alone. */
function forgePackage(): { folder: string; cudaLibrary: string } {
  const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
  const release = join(folder, 'build', 'Release');
  mkdirSync(release, { recursive: true });
  for (const file of readdirSync(binaries)) {
    if (/^gmr\.node$|^libgmr_cpu_\w+\.so$/.test(file)) copyFileSync(join(binaries, file), join(release, file));
  }
  return { folder, cudaLibrary: join(release, 'libgmr_cuda.so') };
}

describe('a package whose CUDA library does not load', () => {
  const { folder, cudaLibrary } = forgePackage();
  after(() => rmSync(folder, { recursive: true }));

  it("makes 'auto' the processor, with one warning", async () => {
    const body = `
      process.on('warning', ({ name, code, message, detail }) => console.log([name, code, message, detail].join('|')));
      const kinds = await Promise.all([gmr.device(), gmr.device('auto')]);
      console.log(...kinds.map(({ kind }) => kind), gmr.tensor([1]).device.kind);
      console.log(await gmr.device('cuda').catch(({ code }) => code));`;
    expect((await runChild(body, { GMR_CONV_PREBUILD: folder })).stdout).to.equal('cpu cpu cpu\nbackend_missing\n');
    writeFileSync(cudaLibrary, 'no library'.repeat(100));
    const { stdout, stderr } = await runChild(body, { GMR_CONV_PREBUILD: folder });
    expect(stdout.split('\n').toSorted()).to.deep.equal([
      '',
      `GmrWarning|backend_broken|[device] expected the CUDA backend libgmr_cuda.so beside gmr.node to load: ${cudaLibrary}: ` +
        "invalid ELF header|'auto' takes the processor instead, `npx --no -- gmr doctor` tests all that there is",
      'backend_broken',
      'cpu cpu cpu',
    ]);
    expect(stderr).to.match(/^\(node:\d+\) \[backend_broken\] GmrWarning: \[device\] expected the CUDA backend/);
  });
});

describe('CUDA devices, opened', function () {
  let folder: string;
  before(function () {
    if (cudaSim === undefined) this.skip();
    // A package whose GPU is the interpreted one.
    const forged = forgePackage();
    ({ folder } = forged);
    copyFileSync(join(binaries, 'libgmr_cuda_sim.so'), forged.cudaLibrary);
  });
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });
  const run = (body: string, environment: Record<string, string> = {}): Promise<string> =>
    onCudaSim(body, { GMR_CONV_PREBUILD: folder, ...environment });

  it('off the event loop, once for all who ask', async () => {
    const output = await run(`
      let turns = 0;
      const timer = setInterval(() => (turns += 1), 0);
      const [auto, first, second] = await Promise.all([gmr.device(), gmr.device('cuda'), gmr.device('cuda:0')]);
      clearInterval(timer);
      console.log(auto === first && first === second, auto === (await gmr.device('auto')), String(auto));
      console.log(gmr.tensor([1]).device === auto, turns > 0);`);
    expect(output).to.match(/^true true cuda_sim:0 \(CUDA simulator .*\)\ntrue true$/);
  });

  it('with the code and words of a refusal', async () => {
    const output = await run(`console.log(await attempt(() => gmr.device('cuda:7')));`);
    expect(output).to.equal(
      "device_unavailable [device] expected a device index below 1, the number of GPUs here ('cuda:0'), received 7",
    );
  });

  it('while the process or a worker ends', async () => {
    expect(await run(`void gmr.device('cuda'); console.log('ends'); process.exit(0);`)).to.equal('ends');
    expect(await run(`void gmr.device('cuda'); console.log('ends');`)).to.equal('ends');
    const library = new URL('../../lib/index.js', import.meta.url).href;
    const source = `import(${JSON.stringify(library)}).then(async (gmr) => {
      const { parentPort } = await import('node:worker_threads');
      void gmr.device('cuda');
      parentPort.postMessage('opens');
    });`;
    const output = await run(`
      const { Worker } = await import('node:worker_threads');
      for (let i = 0; i < 5; ++i) {
        const worker = new Worker(${JSON.stringify(source)}, { eval: true });
        await new Promise((resolve) => worker.once('message', resolve));
        await worker.terminate();
      }
      console.log(String(await gmr.device('cuda')));`);
    expect(output).to.match(/^cuda_sim:0 /);
  });

  // Kernels that do nothing leave NaN where the result belongs.
  const broken = {
    'wrong values': 'cudaLaunchKernel:0:0',
    'a failure': `cudaLaunchKernel:1:${cudaError.launchFailure}`,
  };
  for (const [what, fail] of Object.entries(broken)) {
    it(`'auto' passes a GPU over whose self-check ends with ${what}, and warns once`, async () => {
      const listen = `process.on('warning', ({ code, message }) => console.log(code, message.replace(/, but .*/, '')));`;
      const warning = 'device_failure [device] expected cuda_sim:0 to pass its self-check, a small ring convolution';
      const later = await run(
        `${listen} console.log((await gmr.device()).kind); console.log(gmr.tensor([1]).device.kind);`,
        { GMR_CUDA_SIM_FAIL: fail },
      );
      expect(later.split('\n').toSorted()).to.deep.equal(['cpu', 'cpu', warning]);
      const atOnce = await run(`${listen} console.log(gmr.tensor([1]).device.kind, (await gmr.device()).kind);`, {
        GMR_CUDA_SIM_FAIL: fail,
      });
      expect(atOnce.split('\n').toSorted()).to.deep.equal(['cpu cpu', warning]);
    });
  }

  it('by name without a self-check', async () => {
    const output = await run(`console.log(String(await gmr.device('cuda')));`, {
      GMR_CUDA_SIM_FAIL: 'cudaLaunchKernel:0:0',
    });
    expect(output).to.match(/^cuda_sim:0 /);
  });
});

describe('CUDA devices in a process', function () {
  before(function () {
    if (cudaSim === undefined) this.skip();
  });
  const work = `
    const device = open();
    const x = gmr.tensor(new Float32Array(1000), undefined, { device });
    for (let i = 0; i < 300; ++i) void gmr.ops.add(x, x).data();
    await x.data();`;

  it('gives all that it has taken back when its thread ends', async () => {
    const [line] = await linesOf(new URL('../life/children/cuda_leaks.js', import.meta.url));
    const { ended, terminated, failed } = JSON.parse(line!) as Record<string, string[]>;
    expect([ended, terminated]).to.deep.equal([[], []]);
    expect(failed).to.have.length(1);
    expect(failed![0]).to.match(/^allocation \d+ of \d+ bytes was never freed$/);
  });

  it('ends with copies to the host on their way', async () => {
    expect(await onCudaSim(`${work} console.log('queued'); process.exit(0);`, {})).to.equal('queued');
  });

  it('workers are terminated with copies to the host on their way', async () => {
    const library = new URL('../../lib/index.js', import.meta.url).href;
    const source = `import(${JSON.stringify(library)}).then(async (gmr) => {
      const open = () => gmr.Device.open('cuda_sim');
      ${work}
      (await import('node:worker_threads')).parentPort.postMessage('queued');
      for (;;) await gmr.ops.add(x, x).data();
    });`;
    const output = await onCudaSim(
      `
      const { Worker } = await import('node:worker_threads');
      for (let i = 0; i < 3; ++i) {
        const workers = [0, 1].map(() => new Worker(${JSON.stringify(source)}, { eval: true }));
        await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
        await Promise.all(workers.map((worker) => worker.terminate()));
      }
      const three = gmr.tensor([1.5], undefined, { device: open() });
      console.log(await gmr.ops.add(three, three).item());`,
      {},
    );
    expect(output).to.equal('3');
  });
});

describe('CUDA device', function () {
  before(function () {
    if (cudaSim === undefined) this.skip();
  });
  const on = (values: number[]): gmr.Tensor => gmr.tensor(values, undefined, { device: cudaSim });

  it('describes itself', () => {
    expect(String(cudaSim)).to.match(/^cuda_sim:0 \(CUDA simulator .+, sm_\d+, \d+\.\d GiB\)$/);
    expect(cudaSim!.memoryBytes).to.be.greaterThan(0);
    expect(cudaSim!.threads).to.be.greaterThan(0);
  });

  it('refuses tensors of another device', async () => {
    const cpu = gmr.tensor([1], undefined, { device: await gmr.device('cpu') });
    expectFailure(() => gmr.ops.add(on([1]), cpu), 'device_mismatch', '[add] expected b to be on cuda_sim:0');
  });

  it('gives all memory back, and the cache when asked', async () => {
    const before = await heldMemory(cudaSim);
    for (let i = 0; i < 3; ++i) {
      using x = on([1, 2, 3]);
      using y = gmr.ops.add(x, x);
      expect([...(await y.data())]).to.deep.equal([2, 4, 6]);
    }
    expect(await heldMemory(cudaSim)).to.deep.equal(before);
    gmr.emptyCache(cudaSim);
    using last = on([1]);
    await last.data();
    expect(gmr.memory(cudaSim).cachedBytes).to.be.lessThan(4096);
  });

  it('uploads longer than the staging buffers arrive whole', async () => {
    const values = Float32Array.from({ length: 5_000_000 }, (_, i) => i % 1021);
    using x = gmr.tensor(values, undefined, { device: cudaSim });
    values.fill(0, 0, 10); // copied at the call
    const data = await x.data();
    expect(data.every((value, i) => value === i % 1021)).to.equal(true);
  });

  it('reads in order while work goes on', async () => {
    using x = on([1, 2]);
    const sums = Array.from({ length: 20 }, (_, i) => gmr.ops.add(x, on([i, i])));
    const read = await Promise.all(sums.map((sum) => sum.data()));
    expect(read.map(([first]) => first)).to.deep.equal(sums.map((_, i) => i + 1));
    for (const sum of sums) sum.dispose();
  });

  it('profiles passes', async () => {
    const rows = await gmr.profile(cudaSim!, () => gmr.ops.add(on([1]), on([2])).data());
    expect(rows.map(({ pass, count }) => [pass, count])).to.deep.equal([['add_forward', 1]]);
    expect(rows[0]!.ms).to.be.greaterThan(0);
  });

  it('leaves parameters and running statistics alone after a target out of range, until it is reported', async () => {
    const parameter = on([1, 2]);
    const running = { mean: on([0]), variance: on([1]) };
    const x = gmr.tensor([[1], [3]], undefined, { device: cudaSim });
    const step = (): void => {
      gmr.ops.sgd(parameter, on([1, 1]), null, { lr: 1, firstStep: true });
      gmr.ops.batchNorm(x, null, null, running, { training: true, momentum: 0.5 });
    };
    const logits = gmr.tensor([[1, 2]], undefined, { device: cudaSim });
    const loss = gmr.ops.crossEntropy(logits, gmr.tensor(Int32Array.of(5), undefined, { device: cudaSim }));
    step();
    await expectRejection(
      loss.item(),
      'invalid_argument',
      '[cross_entropy] expected targets[0] to be in [0, 2), received 5',
    );
    const state = async (): Promise<number[]> =>
      (await Promise.all([parameter, running.mean, running.variance].map((tensor) => tensor.data()))).flatMap(
        (data) => [...data],
      );
    expect(await state()).to.deep.equal([1, 2, 0, 1]);
    step();
    // The batch's mean is 2, its variance 2; half of each is taken.
    expect(await state()).to.deep.equal([0, 1, 1, 1.5]);
  });
});
