import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { describeOp } from '../support/op_suite.js';
import { convSuite } from '../support/reference/conv.js';

describeOp(convSuite);

describe('conv: special values', () => {
  for (const device of devices) {
    it(`what no output sees may be infinite (${nameOf(device)})`, async () => {
      // The last element is seen by none of the outputs, but by the one that would come next. A prime number of them is
      // no multiple of a tile.
      const outputs = 1031;
      const length = 2 * outputs + 2;
      for (const channels of [1, 8]) {
        const values = Float32Array.from({ length: channels * length }, (_, i) =>
          (i + 1) % length === 0 ? Infinity : 1,
        );
        for (const dtype of ['float32', 'bfloat16'] as const) {
          const x = gmr.tensor(values, [1, channels, length], { device, dtype });
          for (const groups of [1, channels]) {
            const inputs = channels / groups;
            const weights = new Float32Array(channels * inputs * 3).fill(1);
            const w = gmr.tensor(weights, [channels, inputs, 3], { device, requiresGrad: true });
            const y = gmr.ops.conv(x, w, { stride: 2, groups });
            expect(new Set(await y.data())).to.deep.equal(new Set([3 * inputs]));
            y.backward(gmr.tensor(new Float32Array(channels * outputs).fill(1), y.shape, { device, dtype }));
            expect(new Set(await w.grad!.data())).to.deep.equal(new Set([outputs]));
          }
        }
      }
    });
  }
});
