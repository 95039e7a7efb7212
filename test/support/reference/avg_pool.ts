import * as gmr from '../../../lib/index.js';
import { sizeOf } from '../ndarray.js';
import type { OpSuite } from '../op_suite.js';
import { toThree, windowsOf, type Windows } from '../windows.js';

type Options = Omit<Windows, 'dilation'> & { countIncludePad?: boolean };

export const avgPoolSuite: OpSuite<Options> = {
  op: 'avg_pool',
  activations: ['x'],
  cases: [
    { name: '1-D, one element', inputs: { x: [1, 1, 1] }, options: { kernelSize: 1 } },
    { name: 'empty batch', inputs: { x: [0, 3, 4, 4] }, options: { kernelSize: 2 } },
    { name: '1-D, pairs, a leftover', inputs: { x: [3, 2, 11] }, options: { kernelSize: 2 } },
    { name: '2 x 2', inputs: { x: [2, 3, 14, 38] }, options: { kernelSize: 2 } },
    { name: '2 x 2, leftovers', inputs: { x: [2, 3, 7, 13] }, options: { kernelSize: 2 } },
    { name: '2 x 2, several tasks', inputs: { x: [9, 3, 28, 28] }, options: { kernelSize: 2 } },
    { name: '2 x 2, wide packs', inputs: { x: [2, 3, 5, 16] }, options: { kernelSize: 2 } },
    { name: '3 x 2', inputs: { x: [2, 3, 8, 12] }, options: { kernelSize: [3, 2], stride: 2, padding: [1, 0] } },
    { name: '2 x 2, padded', inputs: { x: [2, 3, 6, 9] }, options: { kernelSize: 2, padding: 1 } },
    {
      name: '2 x 2, padded, counted',
      inputs: { x: [2, 3, 6, 9] },
      options: { kernelSize: 2, padding: 1, countIncludePad: false },
    },
    { name: 'overlapping', inputs: { x: [2, 3, 9, 11] }, options: { kernelSize: 3, stride: 2, padding: 1 } },
    {
      name: 'overlapping, counted',
      inputs: { x: [2, 2, 9, 11] },
      options: { kernelSize: 3, stride: 2, padding: 1, countIncludePad: false },
    },
    { name: 'stride 1', inputs: { x: [2, 2, 7, 20] }, options: { kernelSize: 5, stride: 1, padding: 2 } },
    { name: 'stride over gaps', inputs: { x: [2, 2, 17, 19] }, options: { kernelSize: 2, stride: 5 } },
    {
      name: 'not square',
      inputs: { x: [2, 2, 8, 15] },
      options: { kernelSize: [2, 3], stride: [3, 1], padding: [1, 0] },
    },
    { name: 'whole planes', inputs: { x: [2, 3, 5, 7] }, options: { kernelSize: [5, 7] } },
    { name: '3-D', inputs: { x: [2, 2, 4, 7, 10] }, options: { kernelSize: 2 } },
    {
      name: '3-D, overlapping',
      inputs: { x: [1, 2, 5, 6, 7] },
      options: { kernelSize: 3, stride: [1, 2, 3], padding: [1, 1, 0], countIncludePad: false },
    },
  ],
  run: ({ x }, { kernelSize, ...options }) => gmr.ops.avgPool(x!, kernelSize, options),
  reference: ({ x }, { countIncludePad = true, ...options }) => {
    const { shape, windows } = windowsOf(x!.shape, options);
    const size = sizeOf(toThree(options.kernelSize, x!.shape.length - 2, 1));
    const means = windows.map((window) => {
      const total = window.reduce((sum, index) => sum + x!.data[index]!, 0);
      return total / (countIncludePad ? size : window.length);
    });
    return { shape, data: Float64Array.from(means) };
  },
};
