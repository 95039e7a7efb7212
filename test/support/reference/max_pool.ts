import * as gmr from '../../../lib/index.js';
import { sizeOf, zeros } from '../ndarray.js';
import type { OpSuite } from '../op_suite.js';
import { windowsOf, type Windows } from '../windows.js';

export const maxPoolSuite: OpSuite<Windows> = {
  op: 'max_pool',
  activations: ['x'],
  cases: [
    { name: '1-D, one element', inputs: { x: [1, 1, 1] }, options: { kernelSize: 1 } },
    { name: 'empty batch', inputs: { x: [0, 3, 4, 4] }, options: { kernelSize: 2 } },
    { name: '1-D, pairs, a leftover', inputs: { x: [3, 2, 11] }, options: { kernelSize: 2 } },
    { name: '2 x 2', inputs: { x: [2, 3, 14, 38] }, options: { kernelSize: 2 } },
    { name: '2 x 2, leftovers', inputs: { x: [2, 3, 7, 13] }, options: { kernelSize: 2 } },
    { name: '2 x 2, several tasks', inputs: { x: [9, 3, 28, 28] }, options: { kernelSize: 2 } },
    { name: '2 x 2, wide packs', inputs: { x: [2, 3, 5, 16] }, options: { kernelSize: 2 } },
    { name: '2 x 2, padded', inputs: { x: [2, 3, 6, 9] }, options: { kernelSize: 2, padding: 1 } },
    { name: 'overlapping', inputs: { x: [2, 3, 9, 11] }, options: { kernelSize: 3, stride: 2, padding: 1 } },
    ...[10, 12, 16].map((width) => ({
      name: `overlapping, rows of ${width}`,
      inputs: { x: [2, 3, 7, width] },
      options: { kernelSize: 3, stride: 2, padding: 1 },
    })),
    { name: 'stride 1', inputs: { x: [2, 2, 7, 20] }, options: { kernelSize: 5, stride: 1, padding: 2 } },
    { name: 'stride over gaps', inputs: { x: [2, 2, 17, 19] }, options: { kernelSize: 2, stride: 5 } },
    {
      name: 'dilated',
      inputs: { x: [2, 2, 11, 13] },
      options: { kernelSize: 3, stride: 1, padding: 1, dilation: [2, 3] },
    },
    {
      name: 'not square',
      inputs: { x: [2, 2, 8, 15] },
      options: { kernelSize: [2, 3], stride: [3, 1], padding: [1, 0] },
    },
    { name: 'whole planes', inputs: { x: [2, 3, 5, 7] }, options: { kernelSize: [5, 7] } },
    { name: '3-D', inputs: { x: [2, 2, 4, 7, 10] }, options: { kernelSize: 2 } },
    { name: '3-D, pairs in one axis', inputs: { x: [1, 2, 3, 9, 8] }, options: { kernelSize: [1, 3, 2] } },
    {
      name: '3-D, overlapping',
      inputs: { x: [1, 2, 5, 6, 7] },
      options: { kernelSize: 3, stride: [1, 2, 3], padding: [1, 1, 0] },
    },
  ],
  // No two elements of a plane are equal, nor are they as bfloat16: at a tie there is no derivative.
  sample: (_, shape, random) => {
    const { data, ...rest } = zeros(shape);
    const plane = sizeOf(shape.slice(2));
    for (let begin = 0; begin < data.length; begin += plane) {
      const order = Array.from({ length: plane }, (_, i) => ({ i, key: random() })).toSorted((a, b) => a.key - b.key);
      order.forEach(({ i }, at) => {
        const bfloat16 = 2 ** (Math.floor(i / 128) - 3) * (1 + (i % 128) / 128);
        const sign = random() < 0.5 ? -1 : 1;
        data[begin + at] = Math.fround(sign * bfloat16 * (1 + random() * 2 ** -10));
      });
    }
    return { ...rest, data };
  },
  run: ({ x }, { kernelSize, ...options }) => gmr.ops.maxPool(x!, kernelSize, options),
  reference: ({ x }, options) => {
    const { shape, windows } = windowsOf(x!.shape, options);
    return { shape, data: Float64Array.from(windows, (window) => Math.max(...window.map((index) => x!.data[index]!))) };
  },
};
