import * as gmr from '../../lib/index.js';
import { bytesOf, memoryShapes, product, type BenchSuite } from '../support/cases.js';

export const suite: BenchSuite = {
  op: 'add',
  // Its gradient is dy itself: nothing to time.
  cases: memoryShapes.map((shape) => ({
    name: shape.join('x'),
    bound: 'memory',
    forward: { flops: product(shape), bytes: bytesOf(shape, shape, shape) },
    setup: (make) => {
      const a = make.constant(shape);
      const b = make.constant(shape);
      return () => gmr.ops.add(a, b);
    },
  })),
};
