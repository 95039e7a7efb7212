// How the package lives in a process: ends, workers, the event loop, forced levels.
import { expect } from 'chai';
import { usableCpuLevels } from '../../lib/native.js';
import { runChild } from '../support/child.js';

// Some seconds of queued work.
const queue = `
const x = gmr.tensor(new Float32Array(8 * 32 * 64 * 64), [8, 32, 64, 64]);
const v = gmr.tensor(new Float32Array(32 * 32 * 5), [32, 32, 5]);
const work = () => { for (let i = 0; i < 200; ++i) gmr.ops.ringConv(x, v, { kernelSize: [9, 9], padding: 4 }).dispose(); };
`;

// A training loop as users write it, with batches of the size that the demo has. Its lag is that of timers of 1 ms.
const training = `
import { monitorEventLoopDelay } from 'node:perf_hooks';
const { nn } = gmr;
const generator = new gmr.Generator(1);
const block = (inputs, outputs, side) => [
  new nn.GMRConv2d(inputs, outputs, side, { padding: 'same', bias: false, generator }),
  new nn.BatchNorm2d(outputs),
  new nn.ReLU(),
];
const model = new nn.Sequential(
  ...block(1, 16, 9), ...block(16, 16, 9), new nn.AvgPool2d(2), ...block(16, 32, 7), new nn.AvgPool2d(2),
  ...block(32, 64, 5), new nn.GlobalAvgPool(), new nn.Linear(64, 2, { generator }),
);
const optimizer = new gmr.optim.SGD(model, { lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 1e-3 });
// Coarse and fine noise are two classes that no turn changes.
const batch = () => {
  const labels = Int32Array.from({ length: 64 }, () => generator.integer(0, 2));
  const images = new Float32Array(64 * 28 * 28);
  labels.forEach((label, n) => {
    const size = 28 / (label === 0 ? 28 : 7);
    const cells = generator.uniformArray(28 * 28, -1, 1);
    for (let i = 0; i < 784; ++i) images[n * 784 + i] = cells[Math.floor(i / 28 / size) * 28 + Math.floor((i % 28) / size)];
  });
  return { images, labels };
};
const batches = Array.from({ length: 8 }, batch);
const step = (i) => gmr.scope(() => {
  const { images, labels } = batches[i % batches.length];
  const loss = gmr.ops.crossEntropy(model.forward(gmr.tensor(images, [64, 1, 28, 28])), gmr.tensor(labels));
  loss.backward();
  optimizer.step();
  optimizer.zeroGrad();
  return [loss.item()];
})[0];
const loss = [await step(0)];
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const end = performance.now() + 2000;
for (let i = 1; performance.now() < end || i < 40; ++i) loss.push(await step(i));
delay.disable();
const ms = (nanoseconds) => nanoseconds / 1e6;
console.log(JSON.stringify({ samples: delay.count, p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max), loss }));
`;

const endings: Record<string, { body: string; code: number }> = {
  'natural end': { body: `${queue} work();`, code: 0 },
  'process.exit': { body: `${queue} work(); process.exit(7);`, code: 7 },
  'uncaught throw': { body: `${queue} work(); throw new Error('deliberate');`, code: 1 },
  'process.exit while reading': {
    body: `${queue} work(); void x.data(); setTimeout(() => process.exit(3), 50);`,
    code: 3,
  },
};

describe('process', () => {
  for (const [name, { body, code }] of Object.entries(endings)) {
    it(`${name} with work queued: right exit code, no hang`, async () => {
      const result = await runChild(body, {}, 10_000);
      expect(result.signal, result.stderr).to.equal(null);
      expect(result.code, result.stderr).to.equal(code);
    });
  }

  it('stays alive until what is awaited has come', async () => {
    const result = await runChild(`${queue} work(); console.log((await x.data()).length);`);
    expect(result.stdout.trim()).to.equal(String(8 * 32 * 64 * 64));
    expect(result.code).to.equal(0);
  });

  it('workers load it, train and are terminated with work queued', async () => {
    const worker = (body: string): string =>
      `import(${JSON.stringify(new URL('../../lib/index.js', import.meta.url).href)}).then(async (gmr) => { ${body} });`;
    const result = await runChild(`
      import { Worker } from 'node:worker_threads';
      const source = ${JSON.stringify(worker(`${queue} work(); const { parentPort } = await import('node:worker_threads'); parentPort.postMessage('queued'); await x.data();`))};
      for (let i = 0; i < 5; ++i) {
        const workers = [0, 1].map(() => new Worker(source, { eval: true }));
        await Promise.all(workers.map((w) => new Promise((resolve) => w.once('message', resolve))));
        await Promise.all(workers.map((w) => w.terminate()));
      }
      console.log(await gmr.tensor([1, 2, 3]).data());
    `);
    expect(result.code, result.stderr).to.equal(0);
    expect(result.stdout).to.contain('Float32Array(3)');
  });

  it('leaves the event loop free while it trains: 99 of 100 turns are less than 10 ms late', async () => {
    const result = await runChild(training);
    expect(result.code, result.stderr).to.equal(0);
    const { samples, p99, loss } = JSON.parse(result.stdout) as { samples: number; p99: number; loss: number[] };
    // It did train, and long enough for a hundredth to be more than a few turns.
    expect(loss.at(-1)).to.be.lessThan(loss[0]! / 2);
    expect(samples).to.be.greaterThan(500);
    expect(p99).to.be.lessThan(10);
  });

  it('a level that is not there is an error that lists those that can be used', async () => {
    const open = async (level: string): Promise<string> => {
      const body = `await gmr.device('cpu').catch((error) => console.log(error.code, error.message));`;
      const { stdout, stderr, code } = await runChild(body, { GMR_CPU_LEVEL: level });
      expect(code, stderr).to.equal(0);
      return stdout;
    };
    const expected = `expected one that can be used here: ${usableCpuLevels().join(', ')}`;
    expect(await open('v4')).to.equal(`backend_missing [device] GMR_CPU_LEVEL asks for v4; ${expected}\n`);
    if (process.arch !== 'x64') return;
    expect(await open('portable')).to.equal(
      `backend_missing [device] GMR_CPU_LEVEL asks for portable; ${expected}\n  libgmr_cpu_portable.so: this build has none\n`,
    );
  });
});
