import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices } from '../support/devices.js';
import { describeOp } from '../support/op_suite.js';
import { padSuite } from '../support/reference/pad.js';
import { expectRefusal } from '../support/refusal.js';

describeOp(padSuite);

describe('pad: examples', () => {
  for (const device of devices) {
    it(`pads as PyTorch does (${device.level})`, async () => {
      const x = gmr.tensor([[[1, 2, 3]]], undefined, { device });
      const padded = async (mode: gmr.ops.PadMode) => [...(await gmr.ops.pad(x, [[2, 1]], mode).data())];
      expect(await padded('zeros')).to.deep.equal([0, 0, 1, 2, 3, 0]);
      expect(await padded('reflect')).to.deep.equal([3, 2, 1, 2, 3, 2]);
      expect(await padded('replicate')).to.deep.equal([1, 1, 1, 2, 3, 3]);
      expect(await padded('circular')).to.deep.equal([2, 3, 1, 2, 3, 1]);
    });

    it(`copies NaN, infinities and -0 as they are (${device.level})`, async () => {
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
    expectRefusal(() => gmr.ops.pad(1 as never, [none], 'zeros'), '[pad] expected x to be a Tensor');
    expectRefusal(
      () => gmr.ops.pad(gmr.tensor([1]), [none], 'zeros'),
      'expected x to have 3 to 5 axes',
      'invalid_shape',
    );
    expectRefusal(
      () => gmr.ops.pad(x, [none, none], 'edge' as never),
      'mode to be one of zeros, reflect, replicate, circular',
    );
    expectRefusal(() => gmr.ops.pad(x, [none], 'zeros'), 'expected padding to be an array of 2 pairs [low, high]');
    expectRefusal(
      () => gmr.ops.pad(x, [none, 1 as never], 'zeros'),
      'expected padding[1] to be a pair [low, high], received 1',
    );
    expectRefusal(
      () => gmr.ops.pad(x, [none, [0, -1]], 'zeros'),
      'expected padding[1][1] to be an integer >= 0, received -1',
    );
  });

  it('refuses more than there is to read', () => {
    expectRefusal(
      () => gmr.ops.pad(x, [none, [4, 0]], 'reflect'),
      'padding[1][0] to be less than the extent 4 for mode reflect',
    );
    expectRefusal(
      () => gmr.ops.pad(x, [[0, 4], none], 'circular'),
      'padding[0][1] to be at most the extent 3 for mode circular',
    );
    const nothing = gmr.tensor([[[]]]);
    expectRefusal(
      () => gmr.ops.pad(nothing, [[1, 0]], 'replicate'),
      'padding[0][0] to be 0 where there is nothing to repeat',
    );
    expectRefusal(() => gmr.ops.pad(nothing, [[1, 0]], 'reflect'), 'padding[0][0] to be less than the extent 0');
  });
});
