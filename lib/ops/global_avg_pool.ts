import { record } from '../autograd.js';
import { fail } from '../errors.js';
import { elementCount, empty, expectTensor, run, type Tensor } from '../tensor.js';

/**
 * Mean over all spatial axes. Summed in double, so turning or mirroring `x` changes no more than the last bit.
 * @param x `[N, C, (D,) (H,) W]`, spatial extents >= 1.
 * @returns `[N, C]`.
 */
export function globalAvgPool(x: Tensor): Tensor {
  expectTensor('global_avg_pool', 'x', x, { rank: [3, 5] });
  const inputShape = x.shape;
  const extent = elementCount(inputShape.slice(2));
  if (extent === 0) fail('global_avg_pool', 'x', 'have spatial extents >= 1', inputShape, 'invalid_shape');
  const planes = inputShape[0]! * inputShape[1]!;
  const y = empty(inputShape.slice(0, 2), x.device);
  run('global_avg_pool_forward', { x, y, planes, extent });
  return record('global_avg_pool', y, [x], {}, (dy) => {
    const dx = empty(inputShape, dy.device);
    run('global_avg_pool_backward_input', { dy, dx, planes, extent });
    return [dx];
  });
}
