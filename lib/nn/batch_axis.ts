import { fail } from '../errors.js';
import { activationDTypes, expectTensor, type Tensor } from '../tensor.js';

/** What a layer wants its input's channels to be, and what its argument for that is called. @internal */
export interface WantedChannels {
  name: 'inChannels' | 'numFeatures';
  count: number;
}

/** Refuses another number of channels, those of `axis`, in the words of the layer's arguments. @internal */
export function expectChannelCount(layer: string, x: Tensor, axis: number, { name, count }: WantedChannels): void {
  if (x.shape.at(axis) !== count) fail(layer, 'x', `have ${count} channels (${name})`, x.shape, 'invalid_shape');
}

/**
 * Applies `fn`, which wants `[N, C, ...]`, to a tensor that may lack the batch axis; then its result lacks it too.
 * @internal
 */
export function withBatch(
  layer: string,
  x: Tensor,
  spatialDims: number,
  fn: (batch: Tensor) => Tensor,
  channels?: WantedChannels,
): Tensor {
  expectTensor(layer, 'x', x, { rank: [spatialDims + 1, spatialDims + 2], dtype: activationDTypes });
  if (channels !== undefined) expectChannelCount(layer, x, -spatialDims - 1, channels);
  if (x.shape.length === spatialDims + 2) return fn(x);
  const y = fn(x.reshape(1, ...x.shape));
  return y.reshape(...y.shape.slice(1));
}
