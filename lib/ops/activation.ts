import { record } from '../autograd.js';
import { expectNumber } from '../errors.js';
import { activationDTypes, elementType, emptyLike, expectTensor, run, type Tensor } from '../tensor.js';

/**
 * Leaky rectifier, elementwise: `x` where x > 0, `slope * x` elsewhere. NaN stays NaN.
 * @param x Any shape, float32 or bfloat16.
 * @param slope In [0, 1]; default 0, the rectified linear unit. Its gradient at 0 is `slope`.
 */
export function activation(x: Tensor, slope = 0): Tensor {
  expectTensor('activation', 'x', x, { dtype: activationDTypes });
  expectNumber('activation', 'slope', slope, 0, 1);
  const y = emptyLike(x);
  const params = { type: elementType(x.dtype), count: x.size, slope };
  run('activation_forward', { x, y, ...params });
  return record('activation', y, [x], { y }, (dy, saved) => {
    const dx = emptyLike(dy);
    run('activation_backward_input', { y: saved.y, dy, dx, ...params });
    return [dx];
  });
}
