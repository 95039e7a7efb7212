import { ringWeightSuite } from '../../test/support/reference/ring_weight.js';
import { type BenchCase, benchSuite, bytesOf, type OptionsOf } from '../support/cases.js';

function layer(outputs: number, inputs: number, rings: number): BenchCase<OptionsOf<typeof ringWeightSuite>> {
  const weight = [outputs, inputs, rings];
  const flops = 2 * outputs * inputs * rings * rings;
  return {
    name: `${inputs}>${outputs} R=${rings}`,
    bound: 'memory',
    forward: { flops, bytes: bytesOf(weight, weight) },
    // Backward reads dv and weight and writes dweight.
    train: { flops: 3 * flops, bytes: bytesOf(weight, weight) + bytesOf(weight, weight, weight) },
    inputs: { weight, logSigmas: [rings] },
    options: { logSigma: 0 },
  };
}

export const suite = benchSuite(ringWeightSuite, [layer(64, 64, 5), layer(512, 512, 3)]);
