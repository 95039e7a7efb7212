import { sgdSuite } from '../../test/support/reference/sgd.js';
import { type BenchCase, benchSuite, bytesOf, type OptionsOf } from '../support/cases.js';

function parameters(count: number): BenchCase<OptionsOf<typeof sgdSuite>> {
  const shape = [count];
  return {
    name: `momentum ${count}`,
    bound: 'memory',
    // Reads parameter, gradient and velocity, writes parameter and velocity.
    forward: { flops: 4 * count, bytes: bytesOf(shape, shape, shape, shape, shape) },
    inputs: { parameter: shape, gradient: shape, velocity: shape },
    options: { lr: 0.1, momentum: 0.9, firstStep: false },
    // No gradient: the values stay where they are, however often it runs.
    filled: { gradient: 0, velocity: 0 },
  };
}

export const suite = benchSuite(sgdSuite, [parameters(32 * 2 ** 20), parameters(2 ** 16)]);
