// Worker threads: terminated while they train; sharing the pool of threads with the main thread.
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import * as gmr from '../../lib/index.js';
import { linesOf, runChild } from '../support/child.js';
import { cudaSim } from '../support/devices.js';
import { SmallTraining } from '../support/small_training.js';
import { rounds } from './rounds.js';

describe('worker threads', function () {
  this.timeout(600_000);
  const terminations = {
    cpu: { device: () => gmr.Device.open('cpu'), count: rounds({ quick: 100, full: 1000 }) },
    cuda_sim: { device: () => cudaSim, count: rounds({ quick: 24, full: 100 }) },
  };
  for (const [kind, { device, count }] of Object.entries(terminations)) {
    it(`${kind}: 8 train at once and are terminated at random moments, ${count} in all`, async function () {
      const own = device();
      if (own === undefined) this.skip();
      const seed = Date.now() % 2 ** 31;
      const script = new URL('./children/terminations.js', import.meta.url);
      // No child may outlive it by a hang; each termination is awaited.
      const lines = await linesOf(script, [kind, String(count), String(seed)], {}, { limitMs: 10_000 + 500 * count });
      const training = new SmallTraining(own);
      expect(lines, `seed ${seed}`).to.deep.equal([(await training.run(3)).join(' ')]);
      training.dispose();
    });
  }

  const each = rounds({ quick: 10, full: 100 });
  it(`workers that end by themselves with work queued, ${3 * each} in all`, async () => {
    const script = new URL('./children/worker_endings.js', import.meta.url);
    const lines = await linesOf(script, [String(3 * each)], {}, { limitMs: 10_000 + 1500 * each });
    expect(lines).to.deep.equal([
      `exit: 3, ${each} times`,
      `throw: 1 deliberate, ${each} times`,
      `natural end: 0, ${each} times`,
    ]);
  });

  it('a read that ended too late for its worker leaves nothing behind', async function () {
    if (process.env['LD_PRELOAD'] !== undefined) {
      console.log('Not tested for what reads leave behind: a sanitizer keeps what is freed');
      this.skip();
    }
    for (const line of await linesOf(new URL('./children/worker_reads.js', import.meta.url))) {
      expect(Number(line)).to.be.lessThan(40 * 2 ** 20); // of 128 MiB that were read
    }
  });

  it('devices that could not be opened leave no threads behind', async function () {
    if (cudaSim === undefined) this.skip();
    const mappings = (): number => readFileSync('/proc/self/maps', 'latin1').split('\n').length;
    const fail = (): Promise<unknown> => gmr.Device.openLater('cuda_sim', 9999, false).catch((error: unknown) => error);
    expect(await fail()).to.have.property('code', 'device_unavailable');
    const before = mappings();
    for (let i = 0; i < 50; ++i) await fail();
    // The stack of a thread that nobody joined is two mappings.
    expect(mappings() - before).to.be.lessThan(50);
  });

  it('a driver that hangs keeps no worker from ending, and no process', async function () {
    if (cudaSim === undefined) this.skip();
    const library = new URL('../../lib/index.js', import.meta.url).href;
    const opening = `import(${JSON.stringify(library)}).then((gmr) => void gmr.Device.openLater('cuda_sim', 0, false));`;
    const body = `
      const { Worker } = await import('node:worker_threads');
      const worker = new Worker(${JSON.stringify(opening)}, { eval: true });
      setTimeout(async () => {
        console.log(await worker.terminate());
        process.exit(7);
      }, 1000);`;
    const { code, stdout, stderr } = await runChild(body, { GMR_CUDA_SIM_FAIL: 'cudaGetDeviceProperties:1:-1' });
    expect([code, stdout], stderr).to.deep.equal([7, '1\n']);
  });

  it('the main thread and three workers get the same share of the cores', async () => {
    const [line] = await linesOf(new URL('./children/fairness.js', import.meta.url));
    const counts = line!.split(' ').map(Number);
    expect(counts).to.have.length(4);
    expect(Math.min(...counts), line).to.be.greaterThan(20);
    // They take turns; the rest is chance, and what else the machine does.
    expect(Math.min(...counts) / Math.max(...counts), line).to.be.greaterThan(0.7);
  });
});
