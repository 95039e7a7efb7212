// How the package lives in a process: ends, workers, the event loop, forced levels.
import { expect } from 'chai';
import { runChild } from '../support/child.js';

// Some seconds of queued work.
const queue = `
const x = gmr.tensor(new Float32Array(8 * 32 * 64 * 64), [8, 32, 64, 64]);
const v = gmr.tensor(new Float32Array(32 * 32 * 5), [32, 32, 5]);
const work = () => { for (let i = 0; i < 200; ++i) gmr.ops.ringConv(x, v, { kernelSize: [9, 9], padding: 4 }).dispose(); };
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

  it('does not block the event loop while it computes', async () => {
    // 25 ms leaves room for a scheduler that shares two cores between three busy threads; a pass run on the loop would take 100 ms.
    const result = await runChild(`
      import { monitorEventLoopDelay } from 'node:perf_hooks';
      ${queue}
      await x.data();
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      for (let i = 0; i < 40; ++i) {
        const y = gmr.ops.ringConv(x, v, { kernelSize: [9, 9], padding: 4 });
        const z = gmr.ops.ringConv(y, v, { kernelSize: [9, 9], padding: 4 });
        await gmr.ops.reduce(z, { op: 'mean' }).item();
        y.dispose();
        z.dispose();
      }
      delay.disable();
      console.log(delay.percentile(99) / 1e6);
    `);
    expect(result.code, result.stderr).to.equal(0);
    expect(Number(result.stdout)).to.be.lessThan(25);
  });

  it('a level that this machine lacks is an error that lists what was looked for', async () => {
    const result = await runChild(`await gmr.device('cpu').catch((error) => console.log(error.code, error.message));`, {
      GMR_CPU_LEVEL: 'no-such-level',
    });
    expect(result.stdout).to.contain('GMR_CPU_LEVEL asks for no-such-level');
    expect(result.code).to.equal(0);
  });
});
