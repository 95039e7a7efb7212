import { record } from '../autograd.js';
import {
  activationDTypes,
  elementType,
  empty,
  expectActivationDType,
  expectTensor,
  run,
  type Tensor,
} from '../tensor.js';

function castTo(x: Tensor, dtype: 'float32' | 'bfloat16'): Tensor {
  const y = empty(x.shape, x.device, dtype);
  run('cast_forward', { x, y, xType: elementType(x.dtype), yType: elementType(dtype), count: x.size });
  return y;
}

/**
 * The same numbers as another type: bfloat16 takes the nearest, of two that are equally near the even one; float32 holds them all.
 * The gradient is cast back. Where `x` has the type already, its memory is shared.
 *
 * Layers compute in the type of their input, with parameters that stay float32: casting the input of a network is all that mixed
 * precision takes.
 * @param x Any shape, float32 or bfloat16.
 * @returns The shape of `x`.
 */
export function cast(x: Tensor, dtype: 'float32' | 'bfloat16'): Tensor {
  expectTensor('cast', 'x', x, { dtype: activationDTypes });
  expectActivationDType('cast', 'dtype', dtype);
  if (x.dtype === dtype) return x.reshape(...x.shape);
  const from = x.dtype as 'float32' | 'bfloat16';
  return record('cast', castTo(x, dtype), [x], {}, (dy) => [castTo(dy, from)]);
}
