import { reduceSuite } from '../../test/support/reference/reduce.js';
import { benchSuite, bytesOf, memoryShapes, product } from '../support/cases.js';

// All axes but the channels: the gradient of a bias.
export const suite = benchSuite(
  reduceSuite,
  memoryShapes.map((shape) => ({
    name: `sum to channels ${shape.join('x')}`,
    bound: 'memory',
    forward: { flops: product(shape), bytes: bytesOf(shape, [shape[1]]) },
    train: { flops: product(shape), bytes: 2 * bytesOf(shape, [shape[1]]) },
    inputs: { x: shape },
    options: { op: 'sum', axes: [0, 2, 3] },
  })),
);
