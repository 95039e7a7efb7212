import * as gmr from '../../../lib/index.js';
import { normal, sizeOf, zeros } from '../ndarray.js';
import type { OpSuite } from '../op_suite.js';

interface Options {
  /** Added to every log sigma's small random value. */
  logSigma: number;
}

export const ringWeightSuite: OpSuite<Options> = {
  op: 'ring_weight',
  cases: [
    { name: 'one weight', inputs: { weight: [1, 1, 1], logSigmas: [1] }, options: { logSigma: -0.8 } },
    { name: 'no rows', inputs: { weight: [0, 3, 4], logSigmas: [4] }, options: { logSigma: 0 } },
    { name: 'odd', inputs: { weight: [3, 5, 5], logSigmas: [5] }, options: { logSigma: -0.5 } },
    { name: 'a block and one row', inputs: { weight: [13, 5, 7], logSigmas: [7] }, options: { logSigma: 0.3 } },
    { name: 'several tasks', inputs: { weight: [53, 41, 3], logSigmas: [3] }, options: { logSigma: 0 } },
    { name: 'many rings', inputs: { weight: [4, 2, 32], logSigmas: [32] }, options: { logSigma: 1 } },
    { name: 'clamped below', inputs: { weight: [4, 3, 5], logSigmas: [5] }, options: { logSigma: -8 } },
    { name: 'clamped above', inputs: { weight: [4, 3, 5], logSigmas: [5] }, options: { logSigma: 5 } },
  ],
  run: ({ weight, logSigmas }) => gmr.ops.ringWeight(weight!, logSigmas!),
  sample: (name, shape, random, { logSigma }) => {
    const values = normal(shape, random);
    if (name === 'logSigmas') values.data.forEach((value, r) => (values.data[r] = Math.fround(logSigma + 0.3 * value)));
    return values;
  },
  reference: ({ weight, logSigmas }) => {
    const rings = logSigmas!.shape[0]!;
    const v = zeros(weight!.shape);
    for (let row = 0; row < sizeOf(weight!.shape) / rings; ++row) {
      for (let r = 0; r < rings; ++r) {
        const sigma = Math.min(Math.max(Math.exp(logSigmas!.data[r]!), 0.01), 2 * rings);
        for (let l = 0; l < rings; ++l) {
          const mix = Math.exp(-(((l - r) / sigma) ** 2) / 2) / (2.5066 * sigma);
          v.data[row * rings + l]! += weight!.data[row * rings + r]! * mix;
        }
      }
    }
    return v;
  },
};
