// Convolutions of one tap against the processor: those whose tiles take many blocks, too many for the loops of the op's cases,
// and weight gradients of which a block makes several chunks of columns.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { cudaSim } from '../support/devices.js';
import { bfloat16Rounding, float32Tolerance, normal, relativeError, uniform } from '../support/ndarray.js';
import { launching } from '../support/ring_kernels.js';

type DType = 'float32' | 'bfloat16';

interface Layer {
  x: [images: number, channels: number, height: number, width: number];
  outputs: number;
  /** Default 1. */
  groups?: number;
}

const forwardLayers: (Layer & { dtype: DType; kernel: string })[] = [
  { x: [67, 9, 8, 16], outputs: 60, dtype: 'float32', kernel: 'conv_pointwise_kernel<64, 128>' },
  { x: [68, 9, 15, 15], outputs: 250, dtype: 'float32', kernel: 'conv_pointwise_kernel<128, 128>' },
  { x: [67, 9, 8, 16], outputs: 125, dtype: 'bfloat16', kernel: 'conv_pointwise_bfloat16_kernel<128>' },
];

// Several chunks of columns a block, as there are as many groups, and in each a chunk that is not full.
const weightLayers: Layer[] = [
  { x: [2, 40 * 65, 5, 9], outputs: 40 * 66, groups: 40 },
  { x: [3, 40 * 66, 6, 8], outputs: 40 * 65, groups: 40 },
];

// Of two results that were rounded to bfloat16 after sums that are off by little an element may be one step off.
const tolerance = { float32: float32Tolerance, bfloat16: bfloat16Rounding };

/** y of random numbers, and dw where dy is random; or dw where dy is ones and the last element of channel 0 infinite. */
async function results(
  { x, outputs, groups = 1 }: Layer,
  dtype: DType,
  device: gmr.Device,
  wanted: 'y' | 'dw' | 'dw of an infinite element',
): Promise<ArrayLike<number>> {
  const random = uniform(7);
  const normals = (shape: readonly number[]) => Float32Array.from(normal(shape, random).data);
  const isInfinite = wanted === 'dw of an infinite element';
  const inputs = normals(x);
  if (isInfinite) inputs[x[2] * x[3] - 1] = Infinity;
  const shape = [outputs, x[1] / groups, 1, 1];
  const w = gmr.tensor(normals(shape), shape, { device, requiresGrad: wanted !== 'y' });
  const bias = gmr.tensor(normals([outputs]), [outputs], { device });
  const y = gmr.ops.conv(gmr.tensor(inputs, x, { device, dtype }), w, { groups, bias });
  if (wanted === 'y') return y.data();
  y.backward(gmr.tensor(isInfinite ? new Float32Array(y.size).fill(1) : normals(y.shape), y.shape, { device, dtype }));
  return w.grad!.data();
}

describe('CUDA convolution of one tap', () => {
  before(function () {
    if (cudaSim === undefined) this.skip();
  });

  for (const { dtype, kernel, ...layer } of forwardLayers) {
    it(kernel, async () => {
      const got = await launching(kernel, () => results(layer, dtype, cudaSim!, 'y'));
      const expected = await results(layer, dtype, gmr.Device.open('cpu'), 'y');
      expect(relativeError(got, expected)).to.be.below(tolerance[dtype]);
    });
  }

  for (const dtype of ['float32', 'bfloat16'] as const) {
    for (const layer of weightLayers) {
      it(`weight gradient of ${layer.x.join(' x ')}, ${dtype}`, async () => {
        const kernel = 'conv_pointwise_backward_weight_kernel';
        const got = await launching(kernel, () => results(layer, dtype, cudaSim!, 'dw'));
        // Sums of products are float32 in either type.
        const expected = await results(layer, dtype, gmr.Device.open('cpu'), 'dw');
        expect(relativeError(got, expected)).to.be.below(float32Tolerance);
      });
    }

    it(`columns that are none leave what is infinite as it is, ${dtype}`, async () => {
      const layer: Layer = { x: [3, 20, 7, 7], outputs: 30 };
      const dw = Array.from(await results(layer, dtype, cudaSim!, 'dw of an infinite element'));
      const isSeen = dw.map((_, i) => i % layer.x[1] === 0);
      expect(dw.map((value) => value === Infinity)).to.deep.equal(isSeen);
      expect(dw.map((value) => !Number.isFinite(value))).to.deep.equal(isSeen);
    });
  }
});
