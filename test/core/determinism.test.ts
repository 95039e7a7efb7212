import { expect } from 'chai';
import { native } from '../../lib/native.js';
import { runChild } from '../support/child.js';

// One training step of a small network of ring and plain convolutions, norms, pools and a loss, hashed to the bit. The shapes give
// several tiles, chunks of channels and parts of weight gradients.
const step = `
import { createHash } from 'node:crypto';
let state = 1;
const random = () => ((state = (state * 1103515245 + 12345) % 2147483648) / 2147483648) - 0.5;
const make = (shape, requiresGrad = true) =>
  gmr.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random), shape, { requiresGrad });
const x = make([6, 3, 41, 37]);
const weight = make([40, 3, 5]), logSigmas = make([5]), bias = make([40]);
const gamma = make([40]), beta = make([40]);
const w = make([24, 40, 3, 3]), fc = make([10, 24, 1]);
const h = gmr.ops.ringConv(x, gmr.ops.ringWeight(weight, logSigmas), { kernelSize: [9, 9], padding: 4, bias });
const n = gmr.ops.batchNorm(h, gamma, beta, null, { training: true, relu: true });
const p = gmr.ops.globalAvgPool(gmr.ops.conv(gmr.ops.avgPool(n, 2), w, { stride: 2, groups: 1 }));
const logits = gmr.ops.conv(p.reshape(6, 24, 1), fc).reshape(6, 10);
const loss = gmr.ops.crossEntropy(logits, gmr.tensor(Int32Array.from([0, 1, 2, 3, 4, 5])));
loss.backward();
const hash = createHash('sha256');
for (const t of [loss, logits, ...[x, weight, logSigmas, bias, gamma, beta, w, fc].map((leaf) => leaf.grad)]) {
  const data = await t.data();
  if (data.some(Number.isNaN)) throw new Error('NaN');
  hash.update(data);
}
console.log((await gmr.device()).threads, hash.digest('hex'));
`;

describe('determinism', () => {
  for (const level of native().cpuLevels()) {
    it(`gives the same bits for any number of threads (${level})`, async () => {
      const hashes = new Set<string>();
      const counts = new Set<string>();
      for (const threads of ['1', '2', '']) {
        const result = await runChild(step, { GMR_NUM_THREADS: threads, GMR_CPU_LEVEL: level });
        expect(result.code, result.stderr).to.equal(0);
        const [count, hash] = result.stdout.trim().split(' ');
        counts.add(count!);
        hashes.add(hash!);
      }
      expect([...hashes]).to.have.length(1);
      expect(counts.has('1')).to.equal(true);
    });
  }
});
