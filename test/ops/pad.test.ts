import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { describeOp } from '../support/op_suite.js';
import { padSuite } from '../support/reference/pad.js';
import { expectFailure } from '../support/failure.js';

describeOp(padSuite);

describe('pad: examples', () => {
  for (const device of devices) {
    it(`pads as PyTorch does (${nameOf(device)})`, async () => {
      const x = gmr.tensor([[[1, 2, 3]]], undefined, { device });
      const padded = async (mode: gmr.ops.PadMode) => [...(await gmr.ops.pad(x, [[2, 1]], mode).data())];
      expect(await padded('zeros')).to.deep.equal([0, 0, 1, 2, 3, 0]);
      expect(await padded('reflect')).to.deep.equal([3, 2, 1, 2, 3, 2]);
      expect(await padded('replicate')).to.deep.equal([1, 1, 1, 2, 3, 3]);
      expect(await padded('circular')).to.deep.equal([2, 3, 1, 2, 3, 1]);
    });

    it(`copies NaN, infinities and -0 as they are (${nameOf(device)})`, async () => {
      const x = gmr.tensor([[[NaN, -0, Infinity]]], undefined, { device });
      expect([...(await gmr.ops.pad(x, [[1, 1]], 'reflect').data())]).to.deep.equal([-0, NaN, -0, Infinity, -0]);
      expect([...(await gmr.ops.pad(x, [[1, 0]], 'zeros').data())]).to.deep.equal([0, NaN, -0, Infinity]);
    });
  }
});

describe('pad: bad input', () => {
  const x = gmr.tensor(new Float32Array(12), [1, 1, 3, 4]);
  const none = [0, 0] as const;

  it('names the argument and the axis', () => {
    expectFailure(
      () => gmr.ops.pad(1 as never, [none], 'zeros'),
      'invalid_argument',
      '[pad] expected x to be a Tensor',
    );
    expectFailure(
      () => gmr.ops.pad(gmr.tensor([1]), [none], 'zeros'),
      'invalid_shape',
      'expected x to have 3 to 5 axes',
    );
    expectFailure(
      () => gmr.ops.pad(x, [none, none], 'edge' as never),
      'invalid_argument',
      'mode to be one of zeros, reflect, replicate, circular',
    );
    expectFailure(
      () => gmr.ops.pad(x, [none], 'zeros'),
      'invalid_argument',
      'expected padding to be an array of 2 pairs [low, high]',
    );
    expectFailure(
      () => gmr.ops.pad(x, [none, 1 as never], 'zeros'),
      'invalid_argument',
      'expected padding[1] to be a pair [low, high], received 1',
    );
    expectFailure(
      () => gmr.ops.pad(x, [none, [0, -1]], 'zeros'),
      'invalid_argument',
      'expected padding[1][1] to be an integer >= 0, received -1',
    );
  });

  it('refuses more than there is to read', () => {
    expectFailure(
      () => gmr.ops.pad(x, [none, [4, 0]], 'reflect'),
      'invalid_argument',
      'padding[1][0] to be less than the extent 4 for mode reflect',
    );
    expectFailure(
      () => gmr.ops.pad(x, [[0, 4], none], 'circular'),
      'invalid_argument',
      'padding[0][1] to be at most the extent 3 for mode circular',
    );
    const nothing = gmr.tensor([[[]]]);
    expectFailure(
      () => gmr.ops.pad(nothing, [[1, 0]], 'replicate'),
      'invalid_argument',
      'padding[0][0] to be 0 where there is nothing to repeat',
    );
    expectFailure(
      () => gmr.ops.pad(nothing, [[1, 0]], 'reflect'),
      'invalid_argument',
      'padding[0][0] to be less than the extent 0',
    );
  });
});
