// The demo's training and evaluation take an AbortSignal: they end soon, with all that was queued done and all memory back.
import { expect } from 'chai';
import { evaluate } from '../../examples/mnist/evaluate.js';
import type { LabelledImages } from '../../examples/mnist/idx.js';
import { gmrNetwork, plainNetwork } from '../../examples/mnist/networks.js';
import { pipelined } from '../../examples/mnist/pipeline.js';
import { quickSettings } from '../../examples/mnist/settings.js';
import { train } from '../../examples/mnist/train.js';
import * as gmr from '../../lib/index.js';
import { expectRejection } from '../support/failure.js';
import { heldMemory } from '../support/memory.js';
import { uniform } from '../support/ndarray.js';

const count = 96;
const random = uniform(1);
const images: LabelledImages = {
  count,
  height: 28,
  width: 28,
  pixels: Uint8Array.from({ length: count * 784 }, () => 256 * random()),
  labels: Uint8Array.from({ length: count }, (_, i) => i % 10),
};
// More than would be done while the test waits.
const settings = { ...quickSettings, epochs: 1000, batch: 16, evaluationBatch: 16, angleStep: 1 };

/** Progress calls until the one that aborts, `at` (0: before the start), and those after it. */
function abortAt(at: number): { signal: AbortSignal; onProgress: () => void; calls: () => number } {
  const controller = new AbortController();
  let calls = 0;
  if (at === 0) controller.abort('enough');
  const onProgress = (): void => {
    calls += 1;
    if (calls === at) controller.abort('enough');
  };
  return { signal: controller.signal, onProgress, calls: () => calls };
}

/** As `heldMemory`, without the collector's help: nothing must be left to it. */
async function heldBytes(device: gmr.Device): Promise<number> {
  using last = gmr.tensor([0], undefined, { device });
  await last.data();
  return gmr.memory(device).bytes;
}

describe('cancellation', function () {
  this.timeout(60_000);
  for (const at of [0, 1, 5]) {
    it(`of training after ${at} steps`, async () => {
      const device = await gmr.device();
      const network = gmrNetwork(1, device);
      const before = await heldMemory(device);
      const { signal, onProgress, calls } = abortAt(at);
      const run = train(network, images, settings, device, signal, onProgress);
      await expectRejection(run, 'cancelled', '[demo] stopped before the end');
      expect(await run.catch((error: unknown) => (error as Error).cause)).to.equal('enough');
      // Those that were queued already are seen through.
      expect(calls()).to.be.within(at, at + 3);
      expect(await heldBytes(device)).to.equal(before.bytes);
      network.model.dispose();
    });

    it(`of evaluation after ${at} batches`, async () => {
      const device = await gmr.device();
      const networks = [gmrNetwork(1, device), plainNetwork(1, device)];
      const before = await heldMemory(device);
      const { signal, onProgress, calls } = abortAt(at);
      const run = evaluate(networks, images, settings, device, signal, onProgress);
      await expectRejection(run, 'cancelled', '[demo] stopped before the end');
      expect(calls()).to.be.within(at, at + 3);
      expect(await heldBytes(device)).to.equal(before.bytes);
      for (const { model } of networks) model.dispose();
    });
  }

  it('an aborted signal is not needed for an end with an error: what was queued is awaited all the same', async () => {
    const device = await gmr.device();
    const before = await heldMemory(device);
    let ended = 0;
    const item = async (i: number): Promise<number> => {
      const value = await gmr.scope(() => [gmr.ops.activation(gmr.tensor([i], undefined, { device })).item()])[0]!;
      ended += 1;
      if (i === 2) throw new Error('deliberate');
      return value;
    };
    const run = pipelined(100, item, () => {}, new AbortController().signal);
    await run.then(
      () => expect.fail('it should have failed'),
      (error: unknown) => expect((error as Error).message).to.equal('deliberate'),
    );
    expect(ended).to.be.within(3, 5);
    expect(await heldMemory(device)).to.deep.equal(before);
  });
});
