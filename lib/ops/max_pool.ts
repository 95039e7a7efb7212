import { isGradEnabled, record } from '../autograd.js';
import { expectOptions, fail, type OptionNames } from '../errors.js';
import { elementCount, empty, emptyLike, run, type Tensor } from '../tensor.js';
import { poolWindows } from './pooling.js';
import type { Extents } from './spatial.js';

export interface MaxPoolOptions {
  /** Default: `kernelSize`, so that windows do not overlap. */
  stride?: Extents;
  /** -infinity on both sides of each axis, at most half the window. Default 0. */
  padding?: Extents;
  /** Distance of a window's elements. Default 1. */
  dilation?: Extents;
}

/** @internal */
export const maxPoolOptionNames: OptionNames<MaxPoolOptions> = { stride: true, padding: true, dilation: true };

/**
 * Maximum over windows, as PyTorch's max_pool1d to 3d: leftovers that no whole window covers are dropped, NaN is larger than all,
 * and the gradient goes to the first of equal maxima.
 * @param x `[N, C, (D,) (H,) W]`, float32 or bfloat16, spatial extents >= 1, fewer than 2^31 elements a plane.
 * @param kernelSize Elements of a window: one number, or one for each spatial axis.
 * @returns `[N, C, ...]` with extents `floor((extent + 2 padding - dilation (kernel - 1) - 1) / stride) + 1`.
 * @throws GmrError `invalid_shape` where a window is longer than the padded input.
 */
export function maxPool(x: Tensor, kernelSize: Extents, options: MaxPoolOptions = {}): Tensor {
  expectOptions('max_pool', options, maxPoolOptionNames);
  const { geometry, shape } = poolWindows('max_pool', x, kernelSize, options);
  if (elementCount(geometry.input) >= 2 ** 31) {
    fail('max_pool', 'x', 'have fewer than 2^31 elements a plane', x.shape, 'invalid_shape');
  }
  const y = emptyLike(x, shape);
  if (!isGradEnabled() || !x.requiresGrad) {
    run('max_pool_forward', { x, y, indices: null, ...geometry });
    return y;
  }
  const indices = empty(shape, x.device, 'int32');
  run('max_pool_forward', { x, y, indices, ...geometry });
  const inputShape = x.shape;
  record('max_pool', y, [x], { indices }, (dy, saved) => {
    const dx = emptyLike(dy, inputShape);
    run('max_pool_backward_input', { dy, indices: saved.indices, dx, ...geometry });
    return [dx];
  });
  indices.dispose();
  return y;
}
