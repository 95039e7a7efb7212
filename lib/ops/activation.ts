import { record } from '../autograd.js';
import { expectNumber } from '../errors.js';
import { empty, expectTensor, run, type Tensor } from '../tensor.js';

/**
 * Leaky rectifier, elementwise: `x` where x > 0, `slope * x` elsewhere. NaN stays NaN.
 * @param x Any shape.
 * @param slope In [0, 1]; default 0, the rectified linear unit. Its gradient at 0 is `slope`.
 */
export function activation(x: Tensor, slope = 0): Tensor {
  expectTensor('activation', 'x', x);
  expectNumber('activation', 'slope', slope, 0, 1);
  const y = empty(x.shape, x.device);
  run('activation_forward', { x, y, count: x.size, slope });
  return record('activation', y, [x], { y }, (dy, saved) => {
    const dx = empty(dy.shape, dy.device);
    run('activation_backward_input', { y: saved.y, dy, dx, count: dy.size, slope });
    return [dx];
  });
}
