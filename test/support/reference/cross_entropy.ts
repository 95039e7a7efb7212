import * as gmr from '../../../lib/index.js';
import { normal, zeros } from '../ndarray.js';
import type { OpCase, OpSuite } from '../op_suite.js';

interface Options {
  classes: number;
  labelSmoothing?: number;
  reduction?: 'mean' | 'sum';
}

function testCase(name: string, shape: [number, number], options: Omit<Options, 'classes'>): OpCase<Options> {
  return { name, inputs: { logits: shape, targets: [shape[0]] }, options: { ...options, classes: shape[1] } };
}

export const crossEntropySuite: OpSuite<Options> = {
  op: 'cross_entropy',
  activations: ['logits'],
  resultDType: () => 'float32',
  integers: ['targets'],
  cases: [
    testCase('one row', [1, 10], {}),
    testCase('one class', [3, 1], { labelSmoothing: 0.1 }),
    testCase('odd', [7, 5], {}),
    testCase('odd, summed', [7, 5], { reduction: 'sum' }),
    testCase('rows of whole packs', [3, 272], { labelSmoothing: 0.1 }),
    testCase('smoothed', [13, 17], { labelSmoothing: 0.1 }),
    testCase('smoothed to nothing but smoothing', [5, 3], { labelSmoothing: 1, reduction: 'sum' }),
    testCase('several tasks', [205, 10], { labelSmoothing: 0.2 }),
    testCase('more classes than a task has', [3, 2049], { labelSmoothing: 0.05 }),
    testCase('empty, summed', [0, 5], { reduction: 'sum' }),
  ],
  run: ({ logits, targets }, { labelSmoothing, reduction }) =>
    gmr.ops.crossEntropy(logits!, targets!, { labelSmoothing, reduction }),
  sample: (name, shape, random, { classes }) => {
    if (name !== 'targets') return normal(shape, random);
    const targets = zeros(shape);
    return { shape: targets.shape, data: targets.data.map(() => Math.floor(random() * classes)) };
  },
  reference: ({ logits, targets }, { classes, labelSmoothing: s = 0, reduction = 'mean' }) => {
    const rows = targets!.data.length;
    let total = 0;
    for (let n = 0; n < rows; ++n) {
      const z = logits!.data.subarray(n * classes, (n + 1) * classes);
      const logSum = Math.log(z.reduce((sum, value) => sum + Math.exp(value), 0));
      z.forEach((value, k) => {
        const share = (k === targets!.data[n] ? 1 - s : 0) + s / classes;
        total -= share * (value - logSum);
      });
    }
    return { shape: [], data: Float64Array.of(reduction === 'mean' ? total / rows : total) };
  },
};
