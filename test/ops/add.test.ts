import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { describeOp } from '../support/op_suite.js';
import { addSuite } from '../support/reference/add.js';

describeOp(addSuite);

describe('add: bad input', () => {
  it('names the argument whose shape differs', () => {
    const error = (() => {
      try {
        gmr.ops.add(gmr.tensor([1, 2]), gmr.tensor([1, 2, 3]));
      } catch (caught) {
        return caught as gmr.GmrError;
      }
      return undefined;
    })();
    expect(error?.code).to.equal('invalid_shape');
    expect(error?.message).to.equal('[add] expected b to have shape [2], received [3]');
  });
});
