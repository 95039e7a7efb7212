import { record } from '../autograd.js';
import { fail } from '../errors.js';
import { activationDTypes, elementCount, elementType, emptyLike, expectTensor, run, type Tensor } from '../tensor.js';

/**
 * Mean over all spatial axes. Summed in double, so turning or mirroring `x` changes no more than the last bit.
 * @param x `[N, C, (D,) (H,) W]`, float32 or bfloat16, spatial extents >= 1.
 * @returns `[N, C]`.
 */
export function globalAvgPool(x: Tensor): Tensor {
  expectTensor('global_avg_pool', 'x', x, { rank: [3, 5], dtype: activationDTypes });
  const inputShape = x.shape;
  const extent = elementCount(inputShape.slice(2));
  if (extent === 0) fail('global_avg_pool', 'x', 'have spatial extents >= 1', inputShape, 'invalid_shape');
  const params = { type: elementType(x.dtype), planes: inputShape[0]! * inputShape[1]!, extent };
  const y = emptyLike(x, inputShape.slice(0, 2));
  run('global_avg_pool_forward', { x, y, ...params });
  return record('global_avg_pool', y, [x], {}, (dy) => {
    const dx = emptyLike(dy, inputShape);
    run('global_avg_pool_backward_input', { dy, dx, ...params });
    return [dx];
  });
}
