import { batchNormSuite } from '../../test/support/reference/batch_norm.js';
import { benchSuite, bytesOf, memoryShapes, product } from '../support/cases.js';

export const suite = benchSuite(
  batchNormSuite,
  [true, false].flatMap((training) =>
    memoryShapes.map((shape) => ({
      name: `${training ? 'training' : 'evaluation'} ${shape.join('x')}`,
      bound: 'memory' as const,
      // Training reads x once for the mean and variance and once to normalise.
      forward: {
        flops: (training ? 5 : 2) * product(shape),
        bytes: training ? bytesOf(shape, shape, shape) : bytesOf(shape, shape),
      },
      // Backward reads x and dy for the sums of the parameters' gradients, and again for dx.
      train: training
        ? {
            flops: 12 * product(shape),
            bytes: bytesOf(shape, shape, shape) + bytesOf(shape, shape, shape, shape, shape),
          }
        : undefined,
      inputs: { x: shape, weight: [shape[1]], bias: [shape[1]], mean: [shape[1]], variance: [shape[1]] },
      options: { training },
      filled: { variance: 1 },
    })),
  ),
);
