import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { describeOp } from '../support/op_suite.js';
import { expectFailure } from '../support/failure.js';
import { ringWeightSuite } from '../support/reference/ring_weight.js';

describeOp(ringWeightSuite);

describe('ring_weight: properties', () => {
  for (const device of devices) {
    it(`leaves the gradient of a clamped sigma at exactly 0 (${nameOf(device)})`, async () => {
      const weight = gmr.tensor([[[1, 2, Infinity]]], undefined, { device, requiresGrad: true });
      const logSigmas = gmr.tensor([-5, 3, 0], undefined, { device, requiresGrad: true });
      gmr.ops.ringWeight(weight, logSigmas).backward(gmr.tensor([[[1, Infinity, 1]]], undefined, { device }));
      const [low, high, free] = await logSigmas.grad!.data();
      expect([low, high]).to.deep.equal([0, 0]);
      expect(free).to.not.equal(0);
    });

    it(`passes NaN on (${nameOf(device)})`, async () => {
      const weight = gmr.tensor([[[1, 2]], [[3, NaN]]], undefined, { device });
      const sane = await gmr.ops.ringWeight(weight, gmr.tensor([0, 0], undefined, { device })).data();
      expect([...sane].map(Number.isNaN)).to.deep.equal([false, false, true, true]);
      const wild = await gmr.ops.ringWeight(weight, gmr.tensor([NaN, 0], undefined, { device })).data();
      expect([...wild].every(Number.isNaN)).to.equal(true);
    });

    it(`computes one gradient where only one is wanted (${nameOf(device)})`, async () => {
      const ones = gmr.tensor([[[1, 1]]], undefined, { device });
      const weight = gmr.tensor([[[1, 2]]], undefined, { device, requiresGrad: true });
      const logSigmas = gmr.tensor([0, 0], undefined, { device });
      gmr.ops.ringWeight(weight, logSigmas).backward(ones);
      logSigmas.requiresGrad = true;
      gmr.ops.ringWeight(weight.detach(), logSigmas).backward(ones);
      const p = [1, Math.exp(-0.5)].map((value) => value / 2.5066);
      expect((await weight.grad!.data())[0]).to.be.closeTo(p[0]! + p[1]!, 1e-6);
      expect((await logSigmas.grad!.data())[1]).to.be.closeTo(-2 * p[0]!, 1e-6);
    });
  }
});

describe('ring_weight: bad input', () => {
  const weight = gmr.tensor([[[1, 2, 3]]]);

  it('names the argument', () => {
    expectFailure(
      () => gmr.ops.ringWeight(1 as never, weight),
      'invalid_argument',
      '[ring_weight] expected weight to be a Tensor',
    );
    expectFailure(() => gmr.ops.ringWeight(gmr.tensor([1]), weight), 'invalid_shape', 'expected weight to have 3 axes');
    expectFailure(
      () => gmr.ops.ringWeight(gmr.tensor([[[]]]), weight),
      'invalid_shape',
      'expected weight to have 1 to 2048 rings',
    );
    expectFailure(
      () => gmr.ops.ringWeight(weight, gmr.tensor([1, 2])),
      'invalid_shape',
      'expected logSigmas to have shape [3]',
    );
  });
});
