import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { expectFailure, expectRejection } from '../support/failure.js';
import { expectClose } from '../support/ndarray.js';
import { describeOp } from '../support/op_suite.js';
import { crossEntropySuite } from '../support/reference/cross_entropy.js';

const { crossEntropy } = gmr.ops;

describeOp(crossEntropySuite);

describe('cross_entropy: special values', () => {
  for (const device of devices) {
    const labels = (...values: number[]): gmr.Tensor => gmr.tensor(Int32Array.from(values), undefined, { device });
    const lossOf = (row: number[], target: number, labelSmoothing = 0): Promise<number> =>
      crossEntropy(gmr.tensor([row], undefined, { device }), labels(target), { labelSmoothing }).item();

    it(`neither overflows nor loses a common offset (${nameOf(device)})`, async () => {
      const z = gmr.tensor(
        [
          [10000, 10001],
          [-10000, -10001],
        ],
        undefined,
        { device, requiresGrad: true },
      );
      const loss = crossEntropy(z, labels(0, 0));
      const [near, far] = [Math.log1p(Math.exp(-1)), 1 + Math.log1p(Math.exp(-1))];
      expectClose(await loss.data(), [(near + far) / 2], 'loss');
      loss.backward();
      const p = 1 / (1 + Math.exp(-1));
      expectClose(await z.grad!.data(), [-p / 2, p / 2, (p - 1) / 2, (1 - p) / 2], 'gradient');
    });

    it(`passes NaN and infinities as PyTorch does (${nameOf(device)})`, async () => {
      expect(await lossOf([-Infinity, 0], 1)).to.equal(0);
      expect(await lossOf([-Infinity, 0], 0)).to.equal(Infinity);
      expect(await lossOf([-Infinity, 0], 1, 0.5)).to.equal(Infinity);
      expect(await lossOf([Infinity, 0], 0)).to.deep.equal(NaN);
      expect(await lossOf([NaN, 0], 1)).to.deep.equal(NaN);
      expect(await lossOf([-Infinity, -Infinity], 1)).to.deep.equal(NaN);
    });

    it(`is NaN for the mean of no rows (${nameOf(device)})`, async () => {
      const z = gmr.tensor(new Float32Array(0), [0, 3], { device });
      expect(await crossEntropy(z, labels()).item()).to.deep.equal(NaN);
    });

    it(`rejects targets outside the classes, in both passes (${nameOf(device)})`, async () => {
      const z = gmr.tensor(new Float32Array(9), [3, 3], { device, requiresGrad: true });
      const low = crossEntropy(z, labels(0, -1, 7));
      await expectRejection(low.item(), 'invalid_argument', 'expected targets[1] to be in [0, 3), received -1');
      const high = crossEntropy(z, labels(0, 1, 3));
      await expectRejection(high.item(), 'invalid_argument', 'expected targets[2] to be in [0, 3), received 3');
      high.backward();
      await expectRejection(z.grad!.data(), 'invalid_argument', 'expected targets[2] to be in [0, 3), received 3');
    });
  }
});

describe('cross_entropy: bad input', () => {
  const logits = gmr.tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  const targets = gmr.tensor(Int32Array.of(0, 1));

  it('names the argument that is wrong', () => {
    expectFailure(
      () => crossEntropy(gmr.tensor([1, 2]), targets),
      'invalid_shape',
      '[cross_entropy] expected logits to have 2 axes, received [2]',
    );
    expectFailure(
      () => crossEntropy(logits, gmr.tensor([0, 1])),
      'invalid_argument',
      '[cross_entropy] expected targets to be int32, received "float32"',
    );
    expectFailure(
      () => crossEntropy(logits, gmr.tensor(Int32Array.of(0))),
      'invalid_shape',
      '[cross_entropy] expected targets to have shape [2], received [1]',
    );
    expectFailure(
      () => crossEntropy(logits, targets, { labelSmoothing: 1.5 }),
      'invalid_argument',
      '[cross_entropy] expected labelSmoothing to be a finite number in [0, 1], received 1.5',
    );
    expectFailure(
      () => crossEntropy(logits, targets, { reduction: 'none' as never }),
      'invalid_argument',
      "[cross_entropy] expected reduction to be 'mean' or 'sum', received \"none\"",
    );
  });
});
