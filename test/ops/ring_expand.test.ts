import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { describeOp } from '../support/op_suite.js';
import { expectFailure } from '../support/failure.js';
import { ringExpandSuite } from '../support/reference/ring_expand.js';

describeOp(ringExpandSuite);

/** Number of taps of each ring: the one-hot rows of the identity, expanded and summed. */
async function tapCounts(
  device: gmr.Device,
  kernelSize: number[],
  rings: number,
  circular: boolean,
): Promise<number[]> {
  const identity = new Float32Array(rings * rings);
  for (let i = 0; i < rings; ++i) identity[i * rings + i] = 1;
  const kernels = await gmr.ops
    .ringExpand(gmr.tensor(identity, [rings, 1, rings], { device }), kernelSize, { circular })
    .data();
  const taps = kernels.length / rings;
  return Array.from(
    { length: rings },
    (_, i) => kernels.subarray(i * taps, (i + 1) * taps).filter((weight) => weight === 1).length,
  );
}

describe('ring_expand: rings', () => {
  for (const device of devices) {
    it(`has the tap counts of the paper (${nameOf(device)})`, async () => {
      expect(await tapCounts(device, [1, 1], 1, true)).to.deep.equal([1]);
      expect(await tapCounts(device, [3, 3], 2, true)).to.deep.equal([1, 8]);
      expect(await tapCounts(device, [5, 5], 3, true)).to.deep.equal([1, 8, 12]);
      expect(await tapCounts(device, [7, 7], 4, true)).to.deep.equal([1, 8, 12, 16]);
      expect(await tapCounts(device, [9, 9], 5, true)).to.deep.equal([1, 8, 12, 16, 32]);
      expect(await tapCounts(device, [11, 11], 6, true)).to.deep.equal([1, 8, 12, 24, 24, 28]);
      expect(await tapCounts(device, [3, 3, 3], 2, true)).to.deep.equal([1, 18]);
      expect(await tapCounts(device, [5, 5, 5], 3, true)).to.deep.equal([1, 18, 62]);
      expect(await tapCounts(device, [9, 9, 9], 5, true)).to.deep.equal([1, 26, 54, 98, 210]);
    });

    it(`has each tap in one square ring and the corners in the last (${nameOf(device)})`, async () => {
      expect(await tapCounts(device, [3, 3], 3, false)).to.deep.equal([1, 4, 4]);
      expect(await tapCounts(device, [5, 5], 4, false)).to.deep.equal([1, 8, 12, 4]);
      expect(await tapCounts(device, [3, 3, 3], 3, false)).to.deep.equal([1, 18, 8]);
      expect(await tapCounts(device, [5, 5], 1, false)).to.deep.equal([25]);
      expect(await tapCounts(device, [1], 2, false)).to.deep.equal([0, 1]);
    });

    it(`keeps a ring's NaN in the ring (${nameOf(device)})`, async () => {
      const v = gmr.tensor([[[1, NaN]]], undefined, { device });
      expect([...(await gmr.ops.ringExpand(v, [5]).data())]).to.deep.equal([NaN, 1, 1, 1, NaN]);
    });
  }
});

describe('ring_expand: bad input', () => {
  const v = gmr.tensor([[[1, 2]]]);

  it('names the argument', () => {
    expectFailure(
      () => gmr.ops.ringExpand(1 as never, [3]),
      'invalid_argument',
      '[ring_expand] expected v to be a Tensor',
    );
    expectFailure(() => gmr.ops.ringExpand(gmr.tensor([1]), [3]), 'invalid_shape', 'expected v to have 3 axes');
    expectFailure(
      () => gmr.ops.ringExpand(gmr.tensor([[[]]]), [3]),
      'invalid_shape',
      'expected v to have 1 to 2048 rings',
    );
    expectFailure(
      () => gmr.ops.ringExpand(v, 3 as never),
      'invalid_argument',
      'expected kernelSize to be an array of 1 to 3 sides, received 3',
    );
    expectFailure(
      () => gmr.ops.ringExpand(v, []),
      'invalid_argument',
      'expected kernelSize to be an array of 1 to 3 sides, received []',
    );
    expectFailure(
      () => gmr.ops.ringExpand(v, [3, 3, 3, 3]),
      'invalid_argument',
      'expected kernelSize to be an array of 1 to 3 sides',
    );
    expectFailure(
      () => gmr.ops.ringExpand(v, [3, -1]),
      'invalid_argument',
      'expected kernelSize[1] to be an integer in [1, 2047], received -1',
    );
    expectFailure(
      () => gmr.ops.ringExpand(v, [3], { circular: 1 as never }),
      'invalid_argument',
      'expected circular to be a boolean, received 1',
    );
  });

  it('says why a side must be odd', () => {
    expectFailure(
      () => gmr.ops.ringExpand(v, [3, 4]),
      'invalid_argument',
      'an even side has no centre tap, so the kernel cannot be equivariant',
    );
  });
});
