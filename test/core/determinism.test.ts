import { expect } from 'chai';
import { availableParallelism } from 'node:os';
import { usableCpuLevels } from '../../lib/native.js';
import { runChild } from '../support/child.js';

const helpers = `
import { createHash } from 'node:crypto';
async function hashOf(tensors) {
  const hash = createHash('sha256');
  for (const t of tensors) {
    const data = await t.data();
    if (data.some(Number.isNaN)) throw new Error('NaN');
    hash.update(data);
  }
  return hash.digest('hex');
}
`;

// One training step, in float32 and in bfloat16, of a small network of ring and plain convolutions, norms, pools and a loss, hashed to the bit. The shapes give
// several tiles, chunks of channels and parts of weight gradients.
const step = `${helpers}
let state = 1;
const random = () => ((state = (state * 1103515245 + 12345) % 2147483648) / 2147483648) - 0.5;
const make = (shape, requiresGrad = true) =>
  gmr.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random), shape, { requiresGrad });
const x = make([6, 3, 41, 37]);
const weight = make([40, 3, 5]), logSigmas = make([5]), bias = make([40]);
const gamma = make([40]), beta = make([40]);
const w = make([24, 40, 3, 3]), fc = make([10, 24, 1]);
async function hashOfStep(input) {
const h = gmr.ops.ringConv(input, gmr.ops.ringWeight(weight, logSigmas), { kernelSize: [9, 9], padding: 4, bias });
const n = gmr.ops.batchNorm(h, gamma, beta, null, { training: true, relu: true });
const p = gmr.ops.globalAvgPool(gmr.ops.conv(gmr.ops.avgPool(n, 2), w, { stride: 2, groups: 1 }));
const logits = gmr.ops.conv(p.reshape(6, 24, 1), fc).reshape(6, 10);
const loss = gmr.ops.crossEntropy(logits, gmr.tensor(Int32Array.from([0, 1, 2, 3, 4, 5])));
loss.backward();
const gradients = [x, weight, logSigmas, bias, gamma, beta, w, fc].map((leaf) => leaf.grad);
return hashOf([loss, logits, ...gradients]);
}
// A volume of several deep tiles, of which more threads make more.
const volume = make([1, 3, 30, 22, 35]), rings = make([4, 3, 5]);
const y = gmr.ops.ringConv(volume, rings, { kernelSize: [9, 9, 9], padding: 4 });
y.backward(make(y.shape, false));
const ofVolume = await hashOf([y, volume.grad, rings.grad]);
const hash = await hashOfStep(x); // the second step's gradients are added to the first's
console.log((await gmr.device()).threads, ofVolume, hash, await hashOfStep(gmr.ops.cast(x, 'bfloat16')));
`;

// Some steps of training from a seed, and an evaluation: everything that is random comes from it. Prints the hashes of its logits and of the
// state, parameters and running statistics, after the seeds 1, 1 and 2.
const training = `${helpers}
async function train(seed) {
  const generator = new gmr.Generator(seed);
  const { nn } = gmr;
  const layer = (inputs, outputs, side) => [
    new nn.GMRConv2d(inputs, outputs, side, { padding: 'same', bias: false, generator }),
    new nn.BatchNorm2d(outputs),
    new nn.ReLU(),
  ];
  const model = new nn.Sequential(
    ...layer(1, 24, 9), new nn.AvgPool2d(2), ...layer(24, 40, 5), new nn.MaxPool2d(2), ...layer(40, 24, 3),
    new nn.GlobalAvgPool(), new nn.Linear(24, 10, { generator }),
  );
  const optimizer = new gmr.optim.SGD(model, { lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 1e-3 });
  const losses = [];
  for (let step = 0; step < 6; ++step) {
    const images = Float32Array.from({ length: 33 * 20 * 20 }, () => generator.uniform());
    const labels = Int32Array.from({ length: 33 }, () => generator.integer(0, 10));
    losses.push(gmr.scope(() => {
      const loss = gmr.ops.crossEntropy(model.forward(gmr.tensor(images, [33, 1, 20, 20])), gmr.tensor(labels));
      loss.backward();
      optimizer.step();
      optimizer.zeroGrad();
      return loss;
    }));
  }
  const image = gmr.tensor(Float32Array.from({ length: 400 }, () => generator.uniform()), [1, 1, 20, 20]);
  losses.push(gmr.noGrad(() => model.eval().forward(image)));
  const tensors = [...model.parameters(), ...[...model.namedBuffers()].map(([, value]) => value).filter((value) => value instanceof gmr.Tensor)];
  const hash = await hashOf([...losses, ...tensors]);
  model.dispose();
  optimizer.dispose();
  return hash;
}
console.log((await gmr.device()).threads, await train(1), await train(1), await train(2));
`;

/** What `body` prints for each number of threads: that number first, then hashes. */
async function printedFor(body: string, level: string): Promise<{ threads: number; hashes: string[] }[]> {
  const printed = [];
  for (const threads of ['1', '2', '']) {
    const result = await runChild(body, { GMR_NUM_THREADS: threads, GMR_CPU_LEVEL: level });
    expect(result.code, result.stderr).to.equal(0);
    const [count, ...hashes] = result.stdout.trim().split(' ');
    printed.push({ threads: Number(count), hashes });
  }
  return printed;
}

// Threads are at most as many as cores: with one core there is nothing to compare.
const itThreads = availableParallelism() > 1 ? it : it.skip;
const needs = availableParallelism() > 1 ? '' : '; skipped: this machine has one core';

describe('determinism', () => {
  for (const level of usableCpuLevels()) {
    itThreads(`gives the same bits for any number of threads (${level}${needs})`, async () => {
      const printed = await printedFor(step, level);
      expect(printed.map(({ threads }) => threads)).to.deep.equal([1, 2, availableParallelism()]);
      const [first, ...others] = printed.map(({ hashes }) => hashes);
      expect(first).to.have.length(3);
      for (const hashes of others) expect(hashes).to.deep.equal(first);
    });

    it(`trains to the same bits from the same seed (${level})`, async () => {
      const { code, stdout, stderr } = await runChild(training, { GMR_CPU_LEVEL: level });
      expect(code, stderr).to.equal(0);
      const [, first, again, other] = stdout.trim().split(' ');
      expect(first).to.match(/^[0-9a-f]{64}$/);
      expect(again).to.equal(first);
      expect(other).to.not.equal(first);
    });

    itThreads(`trains to the same bits for any number of threads (${level}${needs})`, async () => {
      const printed = await printedFor(training, level);
      expect(printed.map(({ threads }) => threads)).to.deep.equal([1, 2, availableParallelism()]);
      const [first, ...others] = printed.map(({ hashes }) => hashes);
      expect(first).to.have.length(3);
      for (const hashes of others) expect(hashes).to.deep.equal(first);
    });
  }
});
