import { maxPoolSuite } from '../../test/support/reference/max_pool.js';
import { benchSuite, bytesOf, memoryShapes, product } from '../support/cases.js';

export const suite = benchSuite(
  maxPoolSuite,
  memoryShapes.map((shape) => {
    const y = [shape[0], shape[1], shape[2] / 2, shape[3] / 2];
    return {
      name: `2x2 ${shape.join('x')}`,
      bound: 'memory',
      forward: { flops: product(shape), bytes: bytesOf(shape, y) },
      // With a gradient, forward also writes where each maximum was, and backward reads it.
      train: { flops: product(shape) + product(y), bytes: bytesOf(shape, y, y) + bytesOf(y, y, shape) },
      inputs: { x: shape },
      options: { kernelSize: 2 },
    };
  }),
);
