import { record } from '../autograd.js';
import { expectBoolean, expectOptions, type OptionNames } from '../errors.js';
import { emptyLike, run, type Tensor } from '../tensor.js';
import { poolWindows } from './pooling.js';
import type { Extents } from './spatial.js';

export interface AvgPoolOptions {
  /** Default: `kernelSize`, so that windows do not overlap. */
  stride?: Extents;
  /** Zeros on both sides of each axis, at most half the window. Default 0. */
  padding?: Extents;
  /** Whether the zeros count in the mean. Default true. */
  countIncludePad?: boolean;
}

/** @internal */
export const avgPoolOptionNames: OptionNames<AvgPoolOptions> = { stride: true, padding: true, countIncludePad: true };

/**
 * Mean over windows, as PyTorch's avg_pool1d to 3d: leftovers that no whole window covers are dropped. Windows of 2 x 2 at stride 2
 * are summed in an order that turns and mirrors do not change, so on even extents the result turns with `x` to the bit.
 * @param x `[N, C, (D,) (H,) W]`, float32 or bfloat16, spatial extents >= 1.
 * @param kernelSize Extents of a window: one number, or one for each spatial axis.
 * @returns `[N, C, ...]` with extents `floor((extent + 2 padding - kernel) / stride) + 1`.
 * @throws GmrError `invalid_shape` where a window is longer than the padded input.
 */
export function avgPool(x: Tensor, kernelSize: Extents, options: AvgPoolOptions = {}): Tensor {
  expectOptions('avg_pool', options, avgPoolOptionNames);
  const { stride, padding, countIncludePad = true } = options;
  const { geometry, shape } = poolWindows('avg_pool', x, kernelSize, { stride, padding });
  expectBoolean('avg_pool', 'countIncludePad', countIncludePad);
  const params = { ...geometry, countIncludesPadding: countIncludePad };
  const y = emptyLike(x, shape);
  run('avg_pool_forward', { x, y, ...params });
  const inputShape = x.shape;
  return record('avg_pool', y, [x], {}, (dy) => {
    const dx = emptyLike(dy, inputShape);
    run('avg_pool_backward_input', { dy, dx, ...params });
    return [dx];
  });
}
