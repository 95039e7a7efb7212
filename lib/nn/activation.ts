import { expectNumber } from '../errors.js';
import { activation } from '../ops/index.js';
import type { Tensor } from '../tensor.js';
import { Module } from './module.js';

/** Rectified linear unit: `max(x, 0)`, any shape. */
export class ReLU extends Module {
  protected override compute(x: Tensor): Tensor {
    return activation(x, 0);
  }
}

/** Leaky rectifier: `x` where x > 0, `negativeSlope * x` elsewhere; any shape. */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;

  /** @param negativeSlope In [0, 1]; default 0.01. */
  constructor(negativeSlope = 0.01) {
    super();
    this.negativeSlope = expectNumber('LeakyReLU', 'negativeSlope', negativeSlope, 0, 1);
  }

  protected override compute(x: Tensor): Tensor {
    return activation(x, this.negativeSlope);
  }
}
