import * as gmr from '../../lib/index.js';
import { bytesOf, memoryShapes, product, type BenchSuite } from '../support/cases.js';

export const suite: BenchSuite = {
  op: 'reduce',
  // All axes but the channels: the gradient of a bias.
  cases: memoryShapes.map((shape) => ({
    name: `sum to channels ${shape.join('x')}`,
    bound: 'memory',
    forward: { flops: product(shape), bytes: bytesOf(shape, [shape[1]]) },
    train: { flops: product(shape), bytes: 2 * bytesOf(shape, [shape[1]]) },
    setup: (make) => {
      const x = make.leaf(shape);
      return () => gmr.ops.reduce(x, { op: 'sum', axes: [0, 2, 3] });
    },
  })),
};
