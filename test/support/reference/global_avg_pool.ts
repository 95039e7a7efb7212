import * as gmr from '../../../lib/index.js';
import { sizeOf, zeros } from '../ndarray.js';
import type { OpSuite } from '../op_suite.js';

export const globalAvgPoolSuite: OpSuite<null> = {
  op: 'global_avg_pool',
  activations: ['x'],
  cases: [
    { name: 'one element', inputs: { x: [1, 1, 1] }, options: null },
    { name: 'empty batch', inputs: { x: [0, 3, 4, 4] }, options: null },
    { name: '1-D, odd', inputs: { x: [3, 5, 13] }, options: null },
    { name: '2-D', inputs: { x: [2, 3, 7, 5] }, options: null },
    { name: '3-D', inputs: { x: [2, 3, 4, 5, 6] }, options: null },
    { name: 'several tasks', inputs: { x: [5, 7, 28, 28] }, options: null },
  ],
  run: ({ x }) => gmr.ops.globalAvgPool(x!),
  reference: ({ x }) => {
    const y = zeros(x!.shape.slice(0, 2));
    const extent = sizeOf(x!.shape.slice(2));
    x!.data.forEach((value, i) => (y.data[Math.floor(i / extent)]! += value / extent));
    return y;
  },
};
