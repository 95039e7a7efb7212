import { record } from '../autograd.js';
import { empty, expectTensor, run, type Tensor } from '../tensor.js';

/**
 * Elementwise sum.
 * @param a Any shape.
 * @param b The same shape.
 */
export function add(a: Tensor, b: Tensor): Tensor {
  expectTensor('add', 'a', a);
  expectTensor('add', 'b', b, { shape: a.shape, device: a.device });
  const y = empty(a.shape, a.device);
  run('add_forward', { a, b, y, count: a.size });
  return record('add', y, [a, b], {}, (dy) => [dy, dy]);
}
