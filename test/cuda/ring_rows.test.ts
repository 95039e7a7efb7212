// The bfloat16 ring convolutions whose tiles are whole rows or planes, against the processor: images of many tiles, which
// are too large for the loops of the op's cases.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { ringConvNormalised } from '../../lib/ops/ring_conv.js';
import { underSchedules } from '../support/cuda_sim.js';
import { cudaSim } from '../support/devices.js';
import { bfloat16Rounding, norm, normal, relativeError, uniform } from '../support/ndarray.js';
import { expectInfinityKept, launching, weightGradient, type RingLayer } from '../support/ring_kernels.js';

interface Layer extends RingLayer {
  name: string;
  kernel: 'ring_rows_kernel' | 'ring_planes_kernel' | 'ring_columns_kernel' | 'ring_conv_bfloat16_kernel';
  stride?: number;
}

// Of 47 images with 168 outputs y nearly fills a block of the allocator, so that what is written behind it is found.
// A tile of each needs a block, and below 96 blocks another kernel takes the layer.
const rows: Layer[] = [
  { name: 'rows of 56, a last tile of one row', x: [12, 9, 57, 56], outputs: 20, side: 9 },
  { name: 'rows of 56, groups, images of one row', x: [48, 34, 1, 56], outputs: 40, side: 9, groups: 2 },
  { name: 'rows of 28, a last tile of one row', x: [32, 9, 15, 28], outputs: 65, side: 9 },
  { name: 'rows of 28, groups, more outputs than a tile', x: [24, 66, 1, 28], outputs: 260, side: 9, groups: 2 },
  { name: 'rows of 14', x: [48, 72, 14, 14], outputs: 128, side: 5 },
  { name: 'rows of 56, three channels', x: [48, 3, 14, 56], outputs: 20, side: 9 },
  { name: 'rows of 28, groups of three channels', x: [48, 6, 7, 28], outputs: 130, side: 9, groups: 2 },
  { name: 'rows of 14, groups of two channels', x: [96, 4, 7, 14], outputs: 134, side: 5, groups: 2 },
  { name: 'rows of 14, groups, a last tile of one row', x: [24, 18, 8, 14], outputs: 134, side: 5, groups: 2 },
].map((layer) => ({ ...layer, kernel: 'ring_rows_kernel' }) as Layer);

const planes: Layer[] = [
  { name: 'an image, a chunk of channels and a tile of outputs in part', x: [47, 136, 7, 7], outputs: 168, side: 5 },
  { name: 'groups', x: [48, 256, 7, 7], outputs: 144, side: 5, groups: 2 },
].map((layer) => ({ ...layer, kernel: 'ring_planes_kernel', name: `planes of 7 x 7, ${layer.name}` }) as Layer);

const others: Layer[] = [
  { name: 'planes of 7 x 7, channels that are no multiple of 8', x: [48, 132, 7, 7], outputs: 136, side: 5 },
  { name: 'planes of 7 x 7, outputs that are no multiple of 8', x: [48, 136, 7, 7], outputs: 132, side: 5 },
  { name: 'planes of 7 x 7, less than two chunks of channels', x: [48, 120, 7, 7], outputs: 136, side: 5 },
  { name: 'planes of 7 x 7, too few blocks', x: [2, 128, 7, 7], outputs: 128, side: 5 },
  { name: 'planes of 5 x 5', x: [48, 128, 5, 5], outputs: 136, side: 5 },
  { name: 'planes of 6 x 7', x: [48, 128, 6, 7], outputs: 136, side: 5 },
  { name: 'planes of 7 x 8', x: [48, 128, 7, 8], outputs: 136, side: 5 },
  { name: 'planes of 8 x 8', x: [48, 128, 8, 8], outputs: 136, side: 5 },
].map((layer) => ({ ...layer, kernel: 'ring_columns_kernel' }) as Layer);

const strided: Layer = {
  name: 'planes of 7 x 7, stride 2',
  kernel: 'ring_conv_bfloat16_kernel',
  x: [48, 128, 7, 7],
  outputs: 136,
  side: 5,
  stride: 2,
};

interface WeightLayer extends Omit<Layer, 'kernel'> {
  kernel:
    'ring_rows_backward_weight_kernel' | 'ring_planes_backward_weight_kernel' | 'ring_columns_backward_weight_kernel';
}

// Whose weight gradients are made in tiles of whole rows, of seven or fourteen.
const weightRows: WeightLayer[] = [
  { name: 'rows of 56', x: [2, 9, 21, 56], outputs: 20, side: 9 },
  { name: 'rows of 56, groups, several tiles a block', x: [24, 66, 7, 56], outputs: 132, side: 9, groups: 2 },
  { name: 'rows of 28', x: [3, 9, 28, 28], outputs: 20, side: 9 },
  { name: 'rows of 28, groups, images of one tile', x: [2, 34, 14, 28], outputs: 130, side: 9, groups: 2 },
  { name: 'rows of 14', x: [5, 40, 14, 14], outputs: 128, side: 5 },
  { name: 'rows of 56, one channel', x: [3, 1, 14, 56], outputs: 20, side: 9 },
  { name: 'rows of 28, groups of three channels', x: [2, 6, 14, 28], outputs: 130, side: 9, groups: 2 },
  { name: 'rows of 14, groups of two channels', x: [3, 4, 14, 14], outputs: 134, side: 5, groups: 2 },
  { name: 'rows of 14, images of three tiles', x: [2, 35, 42, 14], outputs: 67, side: 5 },
  { name: 'rows of 14, groups, several tiles a block', x: [40, 70, 14, 14], outputs: 268, side: 5, groups: 2 },
].map((layer) => ({ ...layer, kernel: 'ring_rows_backward_weight_kernel' }) as WeightLayer);

// Of 13 images the last five are a whole team's and one.
const weightPlanes: WeightLayer[] = [
  { name: 'a tile of images, channels and outputs in part', x: [13, 40, 7, 7], outputs: 72, side: 5 },
  { name: 'an image, least channels and outputs', x: [1, 24, 7, 7], outputs: 24, side: 5 },
  { name: 'groups, several pieces', x: [18, 112, 7, 7], outputs: 176, side: 5, groups: 2 },
  { name: 'groups, several tiles a block', x: [13, 1608, 7, 7], outputs: 1608, side: 5, groups: 67 },
].map(
  (layer) =>
    ({ ...layer, kernel: 'ring_planes_backward_weight_kernel', name: `planes of 7 x 7, ${layer.name}` }) as WeightLayer,
);

const weightOthers: WeightLayer[] = [
  { name: 'planes of 7 x 7, channels that are no multiple of 8', x: [3, 36, 7, 7], outputs: 72, side: 5 },
  { name: 'planes of 7 x 7, outputs that are no multiple of 8', x: [3, 40, 7, 7], outputs: 68, side: 5 },
  { name: 'planes of 7 x 7, few channels', x: [3, 16, 7, 7], outputs: 72, side: 5 },
  { name: 'planes of 7 x 7, k = 9', x: [3, 40, 7, 7], outputs: 72, side: 9 },
  { name: 'planes of 6 x 7', x: [3, 40, 6, 7], outputs: 72, side: 5 },
  { name: 'planes of 7 x 8', x: [3, 40, 7, 8], outputs: 72, side: 5 },
  { name: 'planes of 5 x 7, a tile of images in part', x: [3, 32, 5, 7], outputs: 24, side: 5 },
].map((layer) => ({ ...layer, kernel: 'ring_columns_backward_weight_kernel' }) as WeightLayer);
const weightLayers = [...weightRows, ...weightPlanes, ...weightOthers];

interface Variant {
  isNormalised?: boolean;
  hasInfinity?: boolean;
}

/** Ones, and in the first image infinity in the first element of its last eight channels, or of all. */
function withInfinity(shape: Layer['x'], device: gmr.Device): gmr.Tensor {
  const [images, channels, height, width] = shape;
  const data = new Float32Array(images * channels * height * width).fill(1);
  data[Math.max(channels - 8, 0) * height * width] = Infinity;
  return gmr.tensor(data, shape, { device, dtype: 'bfloat16' });
}

async function results(
  { kernel, x, outputs, side, groups = 1, stride = 1 }: Layer,
  { isNormalised = false, hasInfinity = false }: Variant,
  device: gmr.Device,
): Promise<ArrayLike<number>[]> {
  // Else another kernel makes the gradient of the input.
  const isTiled = kernel === 'ring_rows_kernel' || kernel === 'ring_planes_kernel';
  const hasBothWays = !isNormalised && !hasInfinity && isTiled && x[1] / groups > 64;
  const random = uniform(5);
  const make = (shape: readonly number[], dtype: gmr.DType, requiresGrad = false): gmr.Tensor =>
    gmr.tensor(Float32Array.from(normal(shape, random).data), shape, { device, dtype, requiresGrad });
  const input = hasInfinity ? withInfinity(x, device) : make(x, 'bfloat16', hasBothWays);
  const weights = make([outputs, x[1] / groups, (side + 1) / 2], 'float32');
  const bias = make([outputs], 'float32');
  const padding = (side - 1) / 2;
  const options = { kernelSize: [side, side], padding, stride, groups, bias };
  if (isNormalised) {
    const scale = gmr.tensor(
      Float32Array.from({ length: outputs }, (_, o) => 1 + o / outputs),
      [outputs],
      { device },
    );
    const after = { mean: make([outputs], 'float32'), scale, shift: make([outputs], 'float32'), relu: true };
    return [await ringConvNormalised(input, weights, options, after).data()];
  }
  const y = gmr.ops.ringConv(input, weights, options);
  if (!hasBothWays) return [await y.data()];
  y.backward(make(y.shape, 'bfloat16'));
  return [await y.data(), await input.grad!.data()];
}

// An element is off by what its own rounding changes, and by some of what rounding the operands changes all of them by.
function expectElements(got: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(got.length).to.equal(expected.length);
  const finite = Float64Array.from(expected).filter((y) => Number.isFinite(y));
  const usual = norm(finite) / Math.sqrt(finite.length);
  for (let i = 0; i < expected.length; ++i) {
    // Infinity or NaN: the processor's rings are differences of discs.
    if (!Number.isFinite(got[i]) && !Number.isFinite(expected[i])) continue;
    const error = Math.abs(got[i]! - expected[i]!);
    const limit = bfloat16Rounding * (Math.abs(expected[i]!) + 8 * usual);
    if (!(error <= limit)) expect.fail(`[${i}] is ${got[i]}, expected ${expected[i]}, off by more than ${limit}`);
  }
}

describe('CUDA ring convolution in whole rows and planes', () => {
  const check = (layer: Layer, title = layer.name, variant: Variant = {}): void => {
    it(title, async function () {
      if (cudaSim === undefined) return this.skip();
      const got = await launching(layer.kernel, () => results(layer, variant, cudaSim!));
      const expected = await results(layer, variant, gmr.Device.open('cpu'));
      for (const [i, values] of expected.entries()) expectElements(got[i]!, values);
    });
  };
  for (const layer of [...rows, ...planes, ...others, strided]) check(layer);
  check(planes[0]!, 'planes of 7 x 7, normalised', { isNormalised: true });
  check(planes[0]!, 'planes of 7 x 7, infinity stays where it is seen', { hasInfinity: true });

  for (const layer of weightLayers) {
    it(`weight gradient, ${layer.name}`, async function () {
      if (cudaSim === undefined) return this.skip();
      const got = await launching(layer.kernel, () => weightGradient(layer, 'bfloat16', cudaSim!));
      const expected = await weightGradient(layer, 'bfloat16', gmr.Device.open('cpu'));
      expect(relativeError(got, expected)).to.be.below(bfloat16Rounding);
    });
  }

  for (const layer of weightLayers.filter(({ groups }) => groups === undefined)) {
    it(`weight gradient, ${layer.name}: columns that are none leave what is infinite as it is`, async function () {
      if (cudaSim === undefined) return this.skip();
      const lastOfRow = layer.x[3] - 1;
      await expectInfinityKept(layer, 'bfloat16', cudaSim, lastOfRow);
    });
  }

  it('weight gradient, planes of 7 x 7: the same bits for any schedule', async function () {
    if (cudaSim === undefined) return this.skip();
    const device = cudaSim;
    const bits = await underSchedules(async () =>
      Array.from(await weightGradient(weightPlanes[0]!, 'bfloat16', device)).join(),
    );
    expect(new Set(bits).size).to.equal(1);
  });
});
