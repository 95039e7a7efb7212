import * as gmr from '../../lib/index.js';
import { bytesOf, memoryShapes, product, type BenchSuite } from '../support/cases.js';

export const suite: BenchSuite = {
  op: 'global_avg_pool',
  cases: memoryShapes.map((shape) => {
    const y = [shape[0], shape[1]];
    return {
      name: shape.join('x'),
      bound: 'memory',
      forward: { flops: product(shape), bytes: bytesOf(shape, y) },
      train: { flops: product(shape) + product(y), bytes: 2 * bytesOf(shape, y) },
      setup: (make) => {
        const x = make.leaf(shape);
        return () => gmr.ops.globalAvgPool(x);
      },
    };
  }),
};
