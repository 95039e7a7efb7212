import * as gmr from '../../../lib/index.js';
import { normal, zeros, type NdArray } from '../ndarray.js';
import type { OpCase, OpSuite } from '../op_suite.js';

interface Options {
  training: boolean;
  eps?: number;
  relu?: boolean;
}

type Extra = 'weight' | 'bias' | 'residual' | 'running';

/** Calls f(c, offset) for each element of [N, C, P]. */
function eachElement({ shape, data }: NdArray, f: (c: number, i: number) => void): void {
  const channels = shape[1]!;
  const pixels = shape.slice(2).reduce((count, extent) => count * extent, 1);
  for (let i = 0; i < data.length; ++i) f(Math.floor(i / pixels) % channels, i);
}

/** Mean and biased variance of each channel. */
export function channelStatistics(x: NdArray): { mean: Float64Array; variance: Float64Array; count: number } {
  const channels = x.shape[1]!;
  const count = x.data.length / channels;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  eachElement(x, (c, i) => (mean[c]! += x.data[i]! / count));
  eachElement(x, (c, i) => (variance[c]! += (x.data[i]! - mean[c]!) ** 2 / count));
  return { mean, variance, count };
}

function testCase(name: string, x: number[], extras: Extra[], options: Options): OpCase<Options> {
  const inputs: Record<string, number[]> = { x };
  if (extras.includes('weight')) inputs['weight'] = [x[1]!];
  if (extras.includes('bias')) inputs['bias'] = [x[1]!];
  if (extras.includes('residual')) inputs['residual'] = x;
  if (extras.includes('running')) {
    inputs['mean'] = [x[1]!];
    inputs['variance'] = [x[1]!];
  }
  return { name, inputs, options };
}

const training = true;
const relu = true;

export const batchNormSuite: OpSuite<Options> = {
  op: 'batch_norm',
  activations: ['x', 'residual'],
  constants: ['mean', 'variance'],
  cases: [
    testCase('training, one channel of three values', [3, 1], [], { training }),
    testCase('training, rank 2', [7, 5], ['weight', 'bias'], { training }),
    testCase('training, rank 3, no bias', [3, 5, 7], ['weight'], { training }),
    testCase('training, rank 4, not square', [3, 5, 7, 11], ['weight', 'bias', 'running'], { training }),
    testCase('training, rank 5', [2, 3, 3, 5, 7], ['weight', 'bias'], { training, eps: 0.1 }),
    testCase('training, rectified', [3, 5, 7, 11], ['weight', 'bias'], { training, relu }),
    testCase('training, residual', [3, 2, 5], ['weight', 'bias', 'residual'], { training }),
    testCase('training, residual, rectified', [3, 5, 7, 11], ['weight', 'bias', 'residual'], { training, relu }),
    testCase('training, tile of channels + 1', [5, 65], ['weight', 'bias'], { training }),
    testCase('training, few channels, several pieces', [2, 2, 16384 + 1], ['weight', 'bias'], { training, relu }),
    testCase('training, short runs, several pieces', [1031, 3, 2], ['weight'], { training, relu }),
    testCase('training, channels that stay with a task', [3, 17, 9, 8], ['weight', 'bias'], { training, relu }),
    testCase('training, the same, two pieces', [2, 16, 8192 + 1], ['weight'], { training }),
    testCase('inference, one element', [1, 1], ['running'], { training: false }),
    testCase('inference, empty', [0, 3, 5], ['weight', 'bias', 'running'], { training: false }),
    testCase('inference, rank 2', [7, 65], ['weight', 'running'], { training: false, relu }),
    testCase('inference, residual, rectified', [3, 5, 7, 11], ['weight', 'bias', 'residual', 'running'], {
      training: false,
      relu,
    }),
    testCase('inference, several pieces', [2, 3, 16384 + 1], ['weight', 'bias', 'running'], { training: false }),
  ],
  run: ({ x, weight = null, bias = null, residual = null, mean, variance }, options) => {
    const running = mean === undefined || variance === undefined ? null : { mean, variance };
    return gmr.ops.batchNorm(x!, weight, bias, running, { ...options, residual });
  },
  sample: (name, shape, random) => {
    const values = normal(shape, random);
    if (name !== 'variance') return values;
    return { ...values, data: values.data.map((value) => Math.fround(0.5 + value * value)) };
  },
  reference: ({ x, weight, bias, residual, mean, variance }, options) => {
    const { eps = 1e-5 } = options;
    const statistics = options.training ? channelStatistics(x!) : { mean: mean!.data, variance: variance!.data };
    const y = zeros(x!.shape);
    eachElement(x!, (c, i) => {
      const normalised = (x!.data[i]! - statistics.mean[c]!) / Math.sqrt(statistics.variance[c]! + eps);
      const z = normalised * (weight?.data[c] ?? 1) + (bias?.data[c] ?? 0) + (residual?.data[i] ?? 0);
      y.data[i] = options.relu === true ? Math.max(z, 0) : z;
    });
    return y;
  },
};
