import { record } from '../autograd.js';
import { expectBoolean, expectNumber, expectOptions, expectPlainObject, fail } from '../errors.js';
import {
  activationDTypes,
  elementCount,
  elementType,
  empty,
  emptyLike,
  expectTensor,
  run,
  type Tensor,
} from '../tensor.js';

/** Statistics gathered in training and used outside it, both `[C]`. Not differentiable. */
export interface RunningStatistics {
  mean: Tensor;
  variance: Tensor;
}

export interface BatchNormOptions {
  /** Whether to normalise by the batch's own statistics (and to move the running ones), or by the running ones. */
  training: boolean;
  /** How far the running statistics move towards the batch's, in [0, 1]. Default 0.1. */
  momentum?: number;
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Whether a rectifier follows, after the residual. Default false. */
  relu?: boolean;
  /** Of x's shape and type, added to the normalised values. Default null. */
  residual?: Tensor | null;
}

/**
 * What batch normalisation outside training multiplies by, `weight / sqrt(variance + eps)`, for a convolution that normalises
 * what it stores. Its gradient is not recorded.
 * @internal
 */
export function batchNormScale(weight: Tensor | null, runningVariance: Tensor, eps: number): Tensor {
  const scale = emptyLike(runningVariance);
  run('batch_norm_scale', { weight, runningVariance, scale, channels: scale.size, eps });
  return scale;
}

/**
 * Batch normalisation: `(x - mean) / sqrt(variance + eps) * weight + bias` for each channel, then `+ residual` and the rectifier
 * if asked for, all in one pass over memory.
 *
 * In training, mean and variance are taken over batch and pixels (the variance divided by their number M), and the running
 * statistics become `(1 - momentum) * running + momentum * batch`, in place, with the variance divided by M - 1.
 * Source: Ioffe, Szegedy, arXiv 1502.03167.
 * @param x `[N, C, (D,) (H,) (W)]`, float32 or bfloat16; all else but `residual`, which has x's type, is float32.
 * @param weight `[C]`; null is 1.
 * @param bias `[C]`; null is 0.
 * @param running Null: no statistics are kept; only in training.
 * @returns A tensor of x's shape and type.
 * @throws GmrError `invalid_shape` in training when a channel has fewer than two values.
 */
export function batchNorm(
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  running: RunningStatistics | null,
  options: BatchNormOptions,
): Tensor {
  expectOptions('batch_norm', options, { training: true, momentum: true, eps: true, relu: true, residual: true });
  const { training, momentum = 0.1, eps = 1e-5, relu = false, residual = null } = options;
  expectTensor('batch_norm', 'x', x, { rank: [2, 5], dtype: activationDTypes });
  const [batch, channels, ...spatial] = x.shape as [number, number, ...number[]];
  const pixels = elementCount(spatial);
  const { device } = x;
  const perChannel = { shape: [channels], device };
  if (weight !== null) expectTensor('batch_norm', 'weight', weight, perChannel);
  if (bias !== null) expectTensor('batch_norm', 'bias', bias, perChannel);
  if (running !== null) {
    expectPlainObject('batch_norm', 'running', running);
    expectTensor('batch_norm', 'running.mean', running.mean, perChannel);
    expectTensor('batch_norm', 'running.variance', running.variance, perChannel);
  }
  if (residual !== null) expectTensor('batch_norm', 'residual', residual, { shape: x.shape, device, dtype: x.dtype });
  expectNumber('batch_norm', 'momentum', momentum, 0, 1);
  expectNumber('batch_norm', 'eps', eps, 0);
  expectBoolean('batch_norm', 'relu', relu);
  expectBoolean('batch_norm', 'training', training);
  if (training && batch * pixels < 2) {
    fail('batch_norm', 'x', 'have more than one value per channel in training', x.shape, 'invalid_shape');
  }
  if (!training && running === null) fail('batch_norm', 'running', 'be given outside training', running);

  const extents = { type: elementType(x.dtype), batch, channels, pixels };
  const y = emptyLike(x);
  const mean = empty([channels], device);
  const inverseStd = empty([channels], device);
  const affine = { x, weight, bias, residual, y, mean, inverseStd, ...extents, eps, relu };
  if (training) {
    const runningMean = running?.mean ?? null;
    const runningVariance = running?.variance ?? null;
    run('batch_norm_forward', { ...affine, runningMean, runningVariance, momentum });
  } else {
    const { mean: runningMean, variance: runningVariance } = running!;
    run('batch_norm_forward_inference', { ...affine, runningMean, runningVariance });
  }

  const save = { x, y: relu ? y : null, weight, mean, inverseStd };
  const result = record('batch_norm', y, [x, weight, bias, residual], save, (dy, saved, needs) => {
    const [needsX, needsWeight, needsBias, needsResidual] = needs;
    const dx = needsX ? emptyLike(dy) : null;
    const dweight = needsWeight ? empty([channels], device) : null;
    const dbias = needsBias ? empty([channels], device) : null;
    const dresidual = needsResidual && relu ? emptyLike(dy) : null;
    if (dx !== null || dweight !== null || dbias !== null || dresidual !== null) {
      run('batch_norm_backward_input', { ...saved, dy, dx, dweight, dbias, dresidual, ...extents, training });
    }
    return [dx, dweight, dbias, needsResidual && !relu ? dy : dresidual];
  });
  mean.dispose();
  inverseStd.dispose();
  return result;
}
