import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { normal, uniform } from '../support/ndarray.js';
import { describeOp } from '../support/op_suite.js';
import { avgPoolSuite } from '../support/reference/avg_pool.js';
import { expectFailure } from '../support/failure.js';

describeOp(avgPoolSuite);

describe('avg_pool: properties', () => {
  for (const device of devices) {
    it(`turns and mirrors with its input, to the bit, for 2 x 2 windows (${nameOf(device)})`, async () => {
      const x = gmr.tensor(Float32Array.from(normal([2, 3, 8, 8], uniform(1)).data), [2, 3, 8, 8], { device });
      for (const [degrees, flip] of [
        [90, null],
        [180, null],
        [0, 2],
        [90, 3],
      ] as const) {
        const before = await gmr.ops.avgPool(gmr.ops.rotate(x, degrees, { flip }), 2).data();
        const after = await gmr.ops.rotate(gmr.ops.avgPool(x, 2), degrees, { flip }).data();
        expect(before).to.deep.equal(after);
      }
    });

    it(`passes NaN and infinities of the window, no others (${nameOf(device)})`, async () => {
      const x = gmr.tensor([[[NaN, 1, Infinity, 2, 3, 5, Infinity]]], undefined, { device });
      expect([...(await gmr.ops.avgPool(x, 2).data())]).to.deep.equal([NaN, Infinity, 4]);
      expect([...(await gmr.ops.avgPool(x, 2, { stride: 3 }).data())]).to.deep.equal([NaN, 2.5]);
    });
  }
});

describe('avg_pool: bad input', () => {
  const x = gmr.tensor(new Float32Array(24), [1, 2, 3, 4]);

  it('names the argument', () => {
    expectFailure(() => gmr.ops.avgPool(1 as never, 2), 'invalid_argument', '[avg_pool] expected x to be a Tensor');
    expectFailure(() => gmr.ops.avgPool(gmr.tensor([[1]]), 2), 'invalid_shape', 'expected x to have 3 to 5 axes');
    expectFailure(
      () => gmr.ops.avgPool(gmr.tensor([[[]]]), 2),
      'invalid_shape',
      'expected x to have spatial extents >= 1',
    );
    expectFailure(
      () => gmr.ops.avgPool(x, 0),
      'invalid_argument',
      'expected kernelSize to be an integer >= 1, received 0',
    );
    expectFailure(
      () => gmr.ops.avgPool(x, [2, 2, 2]),
      'invalid_argument',
      'expected kernelSize to be a number or an array of 2',
    );
    expectFailure(
      () => gmr.ops.avgPool(x, 2, { stride: [1, 0] }),
      'invalid_argument',
      'expected stride[1] to be an integer >= 1, received 0',
    );
    expectFailure(
      () => gmr.ops.avgPool(x, 2, { padding: -1 }),
      'invalid_argument',
      'expected padding to be an integer >= 0, received -1',
    );
    expectFailure(
      () => gmr.ops.avgPool(x, [2, 3], { padding: [1, 2] }),
      'invalid_argument',
      'at most half of kernelSize, 3 on spatial axis 1',
    );
    expectFailure(
      () => gmr.ops.avgPool(x, 2, { countIncludePad: 1 as never }),
      'invalid_argument',
      'expected countIncludePad to be a boolean',
    );
  });

  it('refuses windows longer than the input', () => {
    const message = '[avg_pool] expected x to be at least 6 long on spatial axis 0, padding included, received 5';
    expectFailure(() => gmr.ops.avgPool(x, [6, 2], { padding: [1, 0] }), 'invalid_shape', message);
    expect(gmr.ops.avgPool(x, [5, 4], { padding: [1, 0] }).shape).to.deep.equal([1, 2, 1, 1]);
  });
});
