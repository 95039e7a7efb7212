import { Described, expectBoolean, expectNumber, expectOptions, fail } from '../errors.js';
import { expectTensor, run, type Tensor } from '../tensor.js';

export interface SgdOptions {
  /** Learning rate, >= 0. */
  lr: number;
  /** Share of the velocity that is kept, >= 0. Default 0. */
  momentum?: number;
  /** Share of the gradient that does not enter the velocity. Default 0. */
  dampening?: number;
  /** Whether to step ahead along the velocity; needs momentum > 0 and no dampening. Default false. */
  nesterov?: boolean;
  /** Added to the gradient times the parameter, >= 0. Default 0. */
  weightDecay?: number;
  /**
   * Whether the velocity starts here: it becomes the gradient (without dampening), and what it held is not read. The caller
   * knows, for each parameter; nothing is remembered between calls. Without momentum it makes no difference.
   */
  firstStep: boolean;
}

/**
 * One step of stochastic gradient descent, as `torch.optim.SGD` does it; `parameter` and `velocity` change in place, in stream
 * order. With `g = gradient + weightDecay * parameter`:
 *
 *     velocity = firstStep ? g : momentum * velocity + (1 - dampening) * g
 *     parameter -= lr * (nesterov ? g + momentum * velocity : velocity)
 *
 * and without momentum `parameter -= lr * g`. Nothing is recorded.
 * @param parameter Any shape.
 * @param gradient The parameter's shape.
 * @param velocity The parameter's shape; null exactly when momentum is 0.
 */
export function sgd(parameter: Tensor, gradient: Tensor, velocity: Tensor | null, options: SgdOptions): void {
  expectOptions('sgd', options, {
    lr: true,
    momentum: true,
    dampening: true,
    nesterov: true,
    weightDecay: true,
    firstStep: true,
  });
  const { lr, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0, firstStep } = options;
  expectTensor('sgd', 'parameter', parameter);
  const like = { shape: parameter.shape, device: parameter.device };
  expectTensor('sgd', 'gradient', gradient, like);
  expectNumber('sgd', 'lr', lr, 0);
  expectNumber('sgd', 'momentum', momentum, 0);
  expectNumber('sgd', 'dampening', dampening);
  expectNumber('sgd', 'weightDecay', weightDecay, 0);
  expectBoolean('sgd', 'firstStep', firstStep);
  if (momentum > 0) expectTensor('sgd', 'velocity', velocity, like);
  else if (velocity !== null) fail('sgd', 'velocity', 'be null without momentum', velocity);
  if (expectBoolean('sgd', 'nesterov', nesterov) && (momentum === 0 || dampening !== 0)) {
    const received = new Described(`momentum ${momentum} and dampening ${dampening}`);
    fail('sgd', 'nesterov', 'come with momentum > 0 and dampening 0', received);
  }

  sgdTogether([{ parameter, gradient, velocity, weightDecay, firstStep }], { lr, momentum, dampening, nesterov });
}

/** @internal One parameter of a step over several. */
export interface SgdParameter {
  parameter: Tensor;
  gradient: Tensor;
  velocity: Tensor | null;
  weightDecay: number;
  firstStep: boolean;
}

/** @internal What all of them have in common. */
export type SgdRates = Required<Pick<SgdOptions, 'lr' | 'momentum' | 'dampening' | 'nesterov'>>;

/** native/ops/sgd/sgd.h: what one pass takes. */
const mostTensors = 88;

/** @internal The step of many parameters of one device, checked already, in as few passes as there can be. */
export function sgdTogether(
  parameters: readonly SgdParameter[],
  { lr, momentum, dampening, nesterov }: SgdRates,
): void {
  const tensors = parameters.map((each) => ({ ...each, count: each.parameter.size }));
  for (let i = 0; i < tensors.length; i += mostTensors) {
    const rates = { learningRate: lr, momentum, dampening, nesterov };
    run('sgd_step', { tensors: tensors.slice(i, i + mostTensors), ...rates });
  }
}
