import { activationSuite } from '../../test/support/reference/activation.js';
import { benchSuite, bytesOf, memoryShapes, product } from '../support/cases.js';

export const suite = benchSuite(
  activationSuite,
  memoryShapes.map((shape) => ({
    name: `relu ${shape.join('x')}`,
    bound: 'memory',
    forward: { flops: product(shape), bytes: bytesOf(shape, shape) },
    // Backward reads y and dy and writes dx.
    train: { flops: 2 * product(shape), bytes: bytesOf(shape, shape, shape, shape, shape) },
    inputs: { x: shape },
    options: { slope: 0 },
  })),
);
