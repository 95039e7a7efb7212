import * as gmr from '../../lib/index.js';
import { bytesOf, memoryShapes, product, type BenchSuite } from '../support/cases.js';

export const suite: BenchSuite = {
  op: 'batch_norm',
  cases: [true, false].flatMap((training) =>
    memoryShapes.map(
      (shape) =>
        ({
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
          setup: (make) => {
            const channels = [shape[1]];
            const x = make.leaf(shape);
            const weight = make.leaf(channels);
            const bias = make.leaf(channels);
            const running = { mean: make.constant(channels), variance: make.filled(channels, 1) };
            return () => gmr.ops.batchNorm(x, weight, bias, running, { training });
          },
        }) satisfies BenchSuite['cases'][number],
    ),
  ),
};
