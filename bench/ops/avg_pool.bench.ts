import * as gmr from '../../lib/index.js';
import { bytesOf, memoryShapes, product, type BenchSuite } from '../support/cases.js';

export const suite: BenchSuite = {
  op: 'avg_pool',
  cases: memoryShapes.map((shape) => {
    const y = [shape[0], shape[1], shape[2] / 2, shape[3] / 2];
    return {
      name: `2x2 ${shape.join('x')}`,
      bound: 'memory',
      forward: { flops: product(shape), bytes: bytesOf(shape, y) },
      train: { flops: 2 * product(shape), bytes: 2 * bytesOf(shape, y) },
      setup: (make) => {
        const x = make.leaf(shape);
        return () => gmr.ops.avgPool(x, 2);
      },
    };
  }),
};
