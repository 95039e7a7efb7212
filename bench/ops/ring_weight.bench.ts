import * as gmr from '../../lib/index.js';
import { bytesOf, type BenchCase, type BenchSuite } from '../support/cases.js';

function layer(outputs: number, inputs: number, rings: number): BenchCase {
  const weight = [outputs, inputs, rings];
  const flops = 2 * outputs * inputs * rings * rings;
  return {
    name: `${inputs}>${outputs} R=${rings}`,
    bound: 'memory',
    forward: { flops, bytes: bytesOf(weight, weight) },
    // Backward reads dv and weight and writes dweight.
    train: { flops: 3 * flops, bytes: bytesOf(weight, weight) + bytesOf(weight, weight, weight) },
    setup: (make) => {
      const leaf = make.leaf(weight);
      const logSigmas = make.leaf([rings]);
      return () => gmr.ops.ringWeight(leaf, logSigmas);
    },
  };
}

export const suite: BenchSuite = { op: 'ring_weight', cases: [layer(64, 64, 5), layer(512, 512, 3)] };
