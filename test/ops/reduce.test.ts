import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { expectFailure } from '../support/failure.js';
import { describeOp } from '../support/op_suite.js';
import { reduceSuite } from '../support/reference/reduce.js';

const { reduce } = gmr.ops;

describeOp(reduceSuite);

describe('reduce: special values', () => {
  for (const device of devices) {
    it(`passes NaN and infinities, and knows the sum and the mean of nothing (${nameOf(device)})`, async () => {
      const x = gmr.tensor([NaN, 1, Infinity, 1, Infinity, -Infinity, -Infinity, 1], [4, 2], { device });
      expect([...(await reduce(x, { op: 'sum', axes: [1] }).data())]).to.deep.equal([NaN, Infinity, NaN, -Infinity]);
      expect([...(await reduce(x, { op: 'mean', axes: [0] }).data())]).to.deep.equal([NaN, -Infinity]);
      const nothing = gmr.tensor(new Float32Array(0), [2, 0], { device });
      expect([...(await reduce(nothing, { op: 'sum', axes: [1] }).data())]).to.deep.equal([0, 0]);
      expect([...(await reduce(nothing, { op: 'mean', axes: [1] }).data())]).to.deep.equal([NaN, NaN]);
      expect(await reduce(nothing, { op: 'mean' }).item()).to.deep.equal(NaN);
    });

    it(`adds in more digits than it returns (${nameOf(device)})`, async () => {
      const values = new Float32Array(100_001).fill(0.1);
      values[0] = 1e8;
      values[100_000] = -1e8;
      const x = gmr.tensor(values, undefined, { device });
      expect(await reduce(x, { op: 'sum' }).item()).to.be.closeTo(9999.9, 0.01);
      expect(await reduce(x.reshape(-1, 1), { op: 'sum', axes: [0] }).item()).to.be.closeTo(9999.9, 0.01);
    });
  }
});

describe('reduce: bad input', () => {
  const x = gmr.tensor([[1, 2, 3]]);

  it('names the argument that is wrong', () => {
    expectFailure(() => reduce([1] as never, { op: 'sum' }), 'invalid_argument', '[reduce] expected x to be a Tensor');
    expectFailure(
      () => reduce(x, { op: 'max' as never }),
      'invalid_argument',
      "[reduce] expected op to be 'sum' or 'mean'",
    );
    expectFailure(
      () => reduce(x, { op: 'sum', axes: [0, 2] }),
      'invalid_argument',
      '[reduce] expected axes[1] to be an integer in [-2, 1], received 2',
    );
    expectFailure(
      () => reduce(x, { op: 'sum', axes: [1, -1] }),
      'invalid_argument',
      '[reduce] expected axes to name each axis once, received [1, -1]',
    );
    expectFailure(
      () => reduce(x, { op: 'sum', axes: 1 as never }),
      'invalid_argument',
      '[reduce] expected axes to be an array of at most 2 integers, received 1',
    );
    expectFailure(
      () => reduce(x, { op: 'sum', keepDims: 1 as never }),
      'invalid_argument',
      '[reduce] expected keepDims to be a boolean, received 1',
    );
  });
});
