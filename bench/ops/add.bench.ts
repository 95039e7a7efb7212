import { addSuite } from '../../test/support/reference/add.js';
import { benchSuite, bytesOf, memoryShapes, product } from '../support/cases.js';

// Its gradient is dy itself: nothing to time.
export const suite = benchSuite(
  addSuite,
  memoryShapes.map((shape) => ({
    name: shape.join('x'),
    bound: 'memory',
    forward: { flops: product(shape), bytes: bytesOf(shape, shape, shape) },
    inputs: { a: shape, b: shape },
    options: null,
  })),
);
