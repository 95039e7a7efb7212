import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { describeOp } from '../support/op_suite.js';
import { activationSuite } from '../support/reference/activation.js';

describeOp(activationSuite);

describe('activation: special values', () => {
  for (const device of devices) {
    it(`passes NaN and infinities as PyTorch does (${nameOf(device)})`, async () => {
      const x = gmr.tensor([NaN, -Infinity, Infinity, -0, 0], undefined, { device });
      expect([...(await gmr.ops.activation(x).data())]).to.deep.equal([NaN, 0, Infinity, -0, 0]);
      expect([...(await gmr.ops.activation(x, 0.5).data())]).to.deep.equal([NaN, -Infinity, Infinity, -0, 0]);
    });
  }

  it('refuses slopes outside [0, 1] and arguments that are no tensors', () => {
    expect(() => gmr.ops.activation(gmr.tensor([1]), -1)).to.throw(gmr.GmrError, '[activation] expected slope to be');
    expect(() => gmr.ops.activation([1] as never)).to.throw(gmr.GmrError, '[activation] expected x to be a Tensor');
  });
});
