import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { describeOp } from '../support/op_suite.js';
import { globalAvgPoolSuite } from '../support/reference/global_avg_pool.js';
import { expectFailure } from '../support/failure.js';

describeOp(globalAvgPoolSuite);

describe('global_avg_pool: properties', () => {
  for (const device of devices) {
    it(`does not lose small terms beside large ones (${nameOf(device)})`, async () => {
      const values = Float32Array.from({ length: 10000 }, (_, i) => (i === 0 ? 2 ** 27 : 1));
      const shape = [1, 1, 100, 100];
      const mean = await gmr.ops.globalAvgPool(gmr.tensor(values, shape, { device })).item();
      expect(mean).to.equal(Math.fround((2 ** 27 + 9999) / 10000));
      const reversed = gmr.tensor(values.toReversed(), shape, { device });
      expect(await gmr.ops.globalAvgPool(reversed).item()).to.equal(mean);
    });

    it(`passes NaN and infinities (${nameOf(device)})`, async () => {
      const x = gmr.tensor(
        [
          [
            [1, NaN],
            [1, Infinity],
            [-Infinity, Infinity],
          ],
        ],
        undefined,
        { device },
      );
      expect([...(await gmr.ops.globalAvgPool(x).data())]).to.deep.equal([NaN, Infinity, NaN]);
    });
  }
});

describe('global_avg_pool: bad input', () => {
  it('names the argument', () => {
    expectFailure(
      () => gmr.ops.globalAvgPool(1 as never),
      'invalid_argument',
      '[global_avg_pool] expected x to be a Tensor',
    );
    expectFailure(() => gmr.ops.globalAvgPool(gmr.tensor([[1]])), 'invalid_shape', 'expected x to have 3 to 5 axes');
    expectFailure(
      () => gmr.ops.globalAvgPool(gmr.tensor([[[]]])),
      'invalid_shape',
      'expected x to have spatial extents >= 1',
    );
  });
});
