import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { describeOp } from '../support/op_suite.js';
import { convSuite } from '../support/reference/conv.js';
import { describeUnseen } from '../support/unseen.js';

describeOp(convSuite);

describeUnseen('conv', { taps: [1, 1, 1], run: (x, w, groups) => gmr.ops.conv(x, w, { stride: 2, groups }) });

describe('depthwise conv: special values', () => {
  for (const device of devices) {
    // No multiples of what a thread has: the corner lies beside rows and columns that no output has.
    for (const [kernel, channels, height, width, dtype] of [
      [3, 2, 9, 10, 'float32'],
      [3, 2, 9, 10, 'bfloat16'],
      [9, 2, 12, 13, 'float32'],
      [9, 2, 9, 16, 'float32'],
      [3, 1100, 4, 15, 'bfloat16'],
    ] as const) {
      const what = `${kernel}x${kernel}, ${channels} of ${height}x${width}, ${dtype} (${nameOf(device)})`;
      it(`an infinite corner is met by what sees it alone: ${what}`, async () => {
        const padding = (kernel - 1) / 2;
        const plane = height * width;
        const length = channels * plane;
        const values = Float32Array.from({ length }, (_, i) => (i === plane - 1 ? Infinity : 1));
        const x = gmr.tensor(values, [1, channels, height, width], { device, dtype });
        const ones = new Float32Array(channels * kernel ** 2).fill(1);
        const w = gmr.tensor(ones, [channels, 1, kernel, kernel], { device, requiresGrad: true });
        const y = gmr.ops.conv(x, w, { padding, groups: channels });
        const isInfinite = (all: ArrayLike<number>): boolean[] => Array.from(all, (value) => value === Infinity);
        const sees = (i: number): boolean =>
          i < plane && Math.floor(i / width) >= height - 1 - padding && i % width >= width - 1 - padding;
        const read = await y.data();
        expect(read.some(Number.isNaN)).to.equal(false);
        expect(isInfinite(read)).to.deep.equal(Array.from({ length }, (_, i) => sees(i)));
        y.backward(gmr.tensor(new Float32Array(length).fill(1), y.shape, { device, dtype }));
        const gradient = await w.grad!.data();
        expect(gradient.some(Number.isNaN)).to.equal(false);
        const meets = (i: number): boolean =>
          i < kernel ** 2 && Math.floor(i / kernel) >= padding && i % kernel >= padding;
        expect(isInfinite(gradient)).to.deep.equal(Array.from({ length: channels * kernel ** 2 }, (_, i) => meets(i)));
      });
    }
  }
});
