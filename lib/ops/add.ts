import { record } from '../autograd.js';
import { activationDTypes, elementType, emptyLike, expectTensor, run, type Tensor } from '../tensor.js';

/**
 * Elementwise sum.
 * @param a Any shape, float32 or bfloat16.
 * @param b The same shape and type.
 */
export function add(a: Tensor, b: Tensor): Tensor {
  expectTensor('add', 'a', a, { dtype: activationDTypes });
  expectTensor('add', 'b', b, { shape: a.shape, device: a.device, dtype: a.dtype });
  const y = emptyLike(a);
  run('add_forward', { a, b, y, type: elementType(a.dtype), count: a.size });
  return record('add', y, [a, b], {}, (dy) => [dy, dy]);
}
