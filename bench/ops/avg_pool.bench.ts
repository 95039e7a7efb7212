import { avgPoolSuite } from '../../test/support/reference/avg_pool.js';
import { benchSuite, bytesOf, memoryShapes, product } from '../support/cases.js';

export const suite = benchSuite(
  avgPoolSuite,
  memoryShapes.map((shape) => {
    const y = [shape[0], shape[1], shape[2] / 2, shape[3] / 2];
    return {
      name: `2x2 ${shape.join('x')}`,
      bound: 'memory',
      forward: { flops: product(shape), bytes: bytesOf(shape, y) },
      train: { flops: 2 * product(shape), bytes: 2 * bytesOf(shape, y) },
      inputs: { x: shape },
      options: { kernelSize: 2 },
    };
  }),
);
