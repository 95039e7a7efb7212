import * as gmr from '../../lib/index.js';
import { bytesOf, memoryShapes, product, type BenchSuite } from '../support/cases.js';

export const suite: BenchSuite = {
  op: 'activation',
  cases: memoryShapes.map((shape) => ({
    name: `relu ${shape.join('x')}`,
    bound: 'memory',
    forward: { flops: product(shape), bytes: bytesOf(shape, shape) },
    // Backward reads y and dy and writes dx.
    train: { flops: 2 * product(shape), bytes: bytesOf(shape, shape, shape, shape, shape) },
    setup: (make) => {
      const x = make.leaf(shape);
      return () => gmr.ops.activation(x);
    },
  })),
};
