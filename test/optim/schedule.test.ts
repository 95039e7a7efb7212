import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { expectFailure } from '../support/failure.js';

const { cosine } = gmr.optim;

describe('cosine', () => {
  it('goes from the first to the last value along a half wave and stays there', () => {
    const options = { from: 0.1, to: 0.02, steps: 100 };
    expect(cosine(0, options)).to.equal(0.1);
    expect(cosine(50, options)).to.be.closeTo(0.06, 1e-12);
    expect(cosine(25.0, options)).to.be.closeTo(0.02 + 0.04 * (1 + Math.SQRT1_2), 1e-12);
    expect(cosine(100, options)).to.equal(0.02);
    expect(cosine(1000, options)).to.equal(0.02);
    expect(cosine(1, { from: 1, steps: 1 })).to.equal(0);
  });

  it('names the argument that is wrong', () => {
    expectFailure(() => cosine(-1, { from: 1, steps: 2 }), 'invalid_argument', '[cosine] expected step');
    expectFailure(() => cosine(1, { from: NaN, steps: 2 }), 'invalid_argument', '[cosine] expected from');
    expectFailure(() => cosine(1, { from: 1, steps: 0 }), 'invalid_argument', '[cosine] expected steps');
  });
});
