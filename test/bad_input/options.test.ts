// Options whose names are misspelt. That every function looks at all of its options is in public.test.ts.
import { expect } from 'chai';
import { expectOptions } from '../../lib/errors.js';
import * as gmr from '../../lib/index.js';
import { describeRows } from '../support/failure.js';

const { nn, ops, optim } = gmr;

const image = gmr.tensor(new Float32Array(4 * 5 * 5), [1, 4, 5, 5]);
const kernel = gmr.tensor(new Float32Array(6 * 4 * 3 * 3), [6, 4, 3, 3]);
const weight = gmr.tensor([1]);
const decaying = { lr: 1, weight_decay: 1 } as never;

describeRows('options that there are not', {
  'in snake case': [
    () => new optim.SGD([weight], decaying),
    'invalid_argument',
    '[SGD] expected options to hold only lr, momentum, dampening, nesterov, weightDecay, sigmaWeightDecay, ' +
      `received "weight_decay" (did you mean 'weightDecay'?)`,
  ],
  'a letter too many': [
    () => ops.conv(image, kernel, { paddding: 1 } as never),
    'invalid_argument',
    '[conv] expected options to hold only stride, padding, dilation, groups, bias, ' +
      `received "paddding" (did you mean 'padding'?)`,
  ],
  'a letter too few': [
    () => new nn.GMRConv2d(1, 1, 3, { strid: 1 } as never),
    'invalid_argument',
    `received "strid" (did you mean 'stride'?)`,
  ],
  'another letter': [
    () => new nn.BatchNorm2d(1, { epz: 1 } as never),
    'invalid_argument',
    `received "epz" (did you mean 'eps'?)`,
  ],
  'another number': [
    () => gmr.models.gmrResnet18({ numClass: 10 } as never),
    'invalid_argument',
    `received "numClass" (did you mean 'numClasses'?)`,
  ],
  'letters in another order': [
    () => new nn.Conv2d(1, 1, 3, { padidng: 1 } as never),
    'invalid_argument',
    `received "padidng" (did you mean 'padding'?)`,
  ],
  'the closest of several': [
    () => new nn.Conv2d(1, 1, 3, { paddingmod: 'zeros' } as never),
    'invalid_argument',
    `received "paddingmod" (did you mean 'paddingMode'?)`,
  ],
  'nothing like any': [
    () => new nn.Conv2d(1, 1, 3, { numRings: undefined } as never),
    'invalid_argument',
    'bias, paddingMode, weightInit, received "numRings"',
  ],
  'a property of every object': [
    () => gmr.tensor([1], [1], { toString: 1 } as never),
    'invalid_argument',
    '[tensor] expected options to hold only device, dtype, requiresGrad, received "toString"',
  ],
  'in one group': [
    () => new optim.SGD([{ params: [weight], ...(decaying as object) }], { lr: 1 }),
    'invalid_argument',
    '[SGD] expected a group to hold only lr, momentum,',
  ],
  'in a group in use': [
    () => {
      const made = new optim.SGD([weight], { lr: 1 });
      Object.assign(made.groups[0]!, decaying);
      made.step();
    },
    'invalid_argument',
    'sigmaWeightDecay, params, received "weight_decay"',
  ],
  'in saved settings': [
    () => new optim.SGD([weight], { lr: 1 }).loadStateDict({ settings: [decaying], velocity: {} }),
    'invalid_argument',
    '[SGD.loadStateDict] expected settings[0] to hold only lr, momentum,',
  ],
});

describe('bad input: options', () => {
  it('that are known may be undefined', () => {
    const options = { stride: undefined, padding: undefined, bias: undefined, generator: undefined };
    expect(new nn.Conv2d(4, 6, 3, options).forward(image).shape).to.deep.equal([1, 6, 3, 3]);
  });

  it('have names that the type checker compares with their interface', () => {
    const options: { a?: number; b?: number } = {};
    expectOptions('test', options, { a: true, b: true });
    // @ts-expect-error -- b is forgotten
    expectOptions('test', options, { a: true });
    // @ts-expect-error -- c is no option
    expectOptions('test', options, { a: true, b: true, c: true });
  });
});
