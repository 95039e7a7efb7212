import { globalAvgPoolSuite } from '../../test/support/reference/global_avg_pool.js';
import { benchSuite, bytesOf, memoryShapes, product } from '../support/cases.js';

export const suite = benchSuite(
  globalAvgPoolSuite,
  memoryShapes.map((shape) => {
    const y = [shape[0], shape[1]];
    return {
      name: shape.join('x'),
      bound: 'memory',
      forward: { flops: product(shape), bytes: bytesOf(shape, y) },
      train: { flops: product(shape) + product(y), bytes: 2 * bytesOf(shape, y) },
      inputs: { x: shape },
      options: null,
    };
  }),
);
