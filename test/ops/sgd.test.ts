import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { expectFailure } from '../support/failure.js';
import { expectClose, normal, uniform } from '../support/ndarray.js';
import { describeOp } from '../support/op_suite.js';
import { sgdStep, sgdSuite } from '../support/reference/sgd.js';

const { sgd } = gmr.ops;

describeOp(sgdSuite);

describe('sgd: several steps', () => {
  const schedules = {
    plain: { lr: 0.1, weightDecay: 0.01 },
    momentum: { lr: 0.1, momentum: 0.9, dampening: 0.1, weightDecay: 0.01 },
    nesterov: { lr: 0.1, momentum: 0.9, nesterov: true },
  };
  for (const [name, rates] of Object.entries(schedules)) {
    it(`moves parameter and velocity as a float64 loop does: ${name}`, async () => {
      for (const device of devices) {
        const random = uniform(5);
        const start = normal([37], random).data;
        const expected = { parameter: start.slice(), velocity: new Float64Array(37) };
        const parameter = gmr.tensor(Float32Array.from(start), undefined, { device });
        // Not read in the first step: NaN must not come through.
        const velocity = 'momentum' in rates ? gmr.tensor(new Float32Array(37).fill(NaN), undefined, { device }) : null;
        for (let step = 0; step < 5; ++step) {
          const gradient = normal([37], random).data;
          sgdStep(expected.parameter, gradient, expected.velocity, { ...rates, firstStep: step === 0 });
          sgd(parameter, gmr.tensor(Float32Array.from(gradient), undefined, { device }), velocity, {
            ...rates,
            firstStep: step === 0,
          });
        }
        expectClose(await parameter.data(), expected.parameter, `${nameOf(device)}: parameter`);
        if (velocity !== null) expectClose(await velocity.data(), expected.velocity, `${nameOf(device)}: velocity`);
      }
    });
  }
});

describe('sgd: special values', () => {
  for (const device of devices) {
    it(`passes NaN and infinities, and does not decay without weightDecay (${nameOf(device)})`, async () => {
      const parameter = gmr.tensor([1, Infinity, 1, 1], undefined, { device, requiresGrad: true });
      sgd(parameter, gmr.tensor([NaN, 1, Infinity, 1], undefined, { device }), null, { lr: 1, firstStep: true });
      expect([...(await parameter.data())]).to.deep.equal([NaN, Infinity, -Infinity, 0]);
    });
  }
});

describe('sgd: bad input', () => {
  const one = gmr.tensor([1]);
  const two = gmr.tensor([1, 2]);
  const options = { lr: 0.1, firstStep: true };

  it('names the argument that is wrong', () => {
    expectFailure(
      () => sgd(1 as never, one, null, options),
      'invalid_argument',
      '[sgd] expected parameter to be a Tensor',
    );
    expectFailure(() => sgd(one, two, null, options), 'invalid_shape', '[sgd] expected gradient to have shape [1]');
    expectFailure(
      () => sgd(one, one, two, { ...options, momentum: 0.9 }),
      'invalid_shape',
      '[sgd] expected velocity to have shape [1]',
    );
    expectFailure(
      () => sgd(one, one, null, { ...options, momentum: 0.9 }),
      'invalid_argument',
      '[sgd] expected velocity to be a Tensor',
    );
    expectFailure(() => sgd(one, one, one, options), 'invalid_argument', '[sgd] expected velocity to be null');
    for (const name of ['lr', 'momentum', 'weightDecay']) {
      expectFailure(
        () => sgd(one, one, null, { ...options, [name]: -1 }),
        'invalid_argument',
        `[sgd] expected ${name} to be a finite number >= 0, received -1`,
      );
    }
    expectFailure(
      () => sgd(one, one, null, { ...options, dampening: NaN }),
      'invalid_argument',
      '[sgd] expected dampening to be a finite number, received NaN',
    );
    expectFailure(
      () => sgd(one, one, null, { lr: 0.1 } as never),
      'invalid_argument',
      '[sgd] expected firstStep to be a boolean, received undefined',
    );
    for (const wrong of [{}, { momentum: 0.9, dampening: 0.1 }]) {
      expectFailure(
        () => sgd(one, one, 'momentum' in wrong ? one : null, { ...options, ...wrong, nesterov: true }),
        'invalid_argument',
        '[sgd] expected nesterov to come with momentum > 0 and dampening 0',
      );
    }
  });
});
