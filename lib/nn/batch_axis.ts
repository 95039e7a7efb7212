import { activationDTypes, expectTensor, type Tensor } from '../tensor.js';

/**
 * Applies `fn`, which wants `[N, C, ...]`, to a tensor that may lack the batch axis; then its result lacks it too.
 * @internal
 */
export function withBatch(layer: string, x: Tensor, spatialDims: number, fn: (batch: Tensor) => Tensor): Tensor {
  expectTensor(layer, 'x', x, { rank: [spatialDims + 1, spatialDims + 2], dtype: activationDTypes });
  if (x.shape.length === spatialDims + 2) return fn(x);
  const y = fn(x.reshape(1, ...x.shape));
  return y.reshape(...y.shape.slice(1));
}
