import * as gmr from '../../lib/index.js';
import { bytesOf, type BenchCase, type BenchSuite } from '../support/cases.js';

function parameters(count: number): BenchCase {
  const shape = [count];
  return {
    name: `momentum ${count}`,
    bound: 'memory',
    // Reads parameter, gradient and velocity, writes parameter and velocity.
    forward: { flops: 4 * count, bytes: bytesOf(shape, shape, shape, shape, shape) },
    setup: (make) => {
      const parameter = make.constant(shape);
      // No gradient: the values stay where they are, however often it runs.
      const gradient = make.filled(shape, 0);
      const velocity = make.filled(shape, 0);
      return () => gmr.ops.sgd(parameter, gradient, velocity, { lr: 0.1, momentum: 0.9, firstStep: false });
    },
  };
}

export const suite: BenchSuite = { op: 'sgd', cases: [parameters(32 * 2 ** 20), parameters(2 ** 16)] };
