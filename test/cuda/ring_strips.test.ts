// The float32 ring convolutions in strips, against the processor: forward those whose tiles are 128 outputs wide, since only
// with 96 tiles and more are there such, too many for the loops of the op's cases; and weight gradients, whose strips end
// within rows and images.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { cudaSim } from '../support/devices.js';
import { float32Tolerance, normal, relativeError, uniform } from '../support/ndarray.js';
import { expectInfinityKept, launching, weightGradient, type RingLayer } from '../support/ring_kernels.js';

interface Layer extends RingLayer {
  kernel: string;
}

const layers: Layer[] = [
  { x: [65, 10, 7, 23], outputs: 70, side: 5, kernel: 'ring_strips_kernel<5, 7, 128>' },
  { x: [97, 5, 8, 13], outputs: 66, side: 5, kernel: 'ring_strips_kernel<5, 8, 128>' },
  { x: [49, 10, 7, 16], outputs: 260, side: 9, kernel: 'ring_strips_kernel<9, 7, 128>', groups: 2 },
  { x: [77, 6, 8, 18], outputs: 129, side: 9, kernel: 'ring_strips_kernel<9, 8, 128>' },
];

// Rows of whole strips, and with one, two or three columns left, copied 16, 8 and 4 bytes at a time; heights of whole strips,
// and others; groups; padding that is not half of the kernel; chunks of channels and tiles of outputs that are not full; and, where there are as many groups, blocks
// with four strips each.
const weightLayers: Layer[] = [
  { x: [3, 10, 11, 23], outputs: 20, side: 9, kernel: 'ring_strips_backward_weight_kernel<9, 64>' },
  { x: [2, 74, 9, 16], outputs: 10, side: 9, kernel: 'ring_strips_backward_weight_kernel<9, 64>', groups: 2 },
  { x: [3, 37, 7, 10], outputs: 70, side: 9, kernel: 'ring_strips_backward_weight_kernel<9, 128>' },
  {
    x: [2, 16, 8, 13],
    outputs: 132,
    side: 9,
    kernel: 'ring_strips_backward_weight_kernel<9, 128>',
    groups: 2,
    padding: 6,
  },
  { x: [5, 70, 7, 7], outputs: 64, side: 5, kernel: 'ring_strips_backward_weight_kernel<5, 64>' },
  {
    x: [2, 40, 15, 12],
    outputs: 12,
    side: 5,
    kernel: 'ring_strips_backward_weight_kernel<5, 64>',
    groups: 2,
    padding: 0,
  },
  { x: [2, 70, 14, 14], outputs: 140, side: 5, kernel: 'ring_strips_backward_weight_kernel<5, 128>' },
  { x: [2, 1600, 3, 7], outputs: 13_000, side: 5, kernel: 'ring_strips_backward_weight_kernel<5, 128>', groups: 200 },
];

async function result({ x, outputs, side, groups = 1 }: Layer, device: gmr.Device): Promise<ArrayLike<number>> {
  const random = uniform(5);
  const make = (shape: readonly number[]): gmr.Tensor =>
    gmr.tensor(Float32Array.from(normal(shape, random).data), shape, { device });
  const weights = make([outputs, x[1] / groups, (side + 1) / 2]);
  const options = { kernelSize: [side, side], padding: (side - 1) / 2, groups, bias: make([outputs]) };
  return gmr.ops.ringConv(make(x), weights, options).data();
}

describe('CUDA ring convolution in strips', () => {
  for (const layer of layers) {
    it(layer.kernel, async function () {
      if (cudaSim === undefined) return this.skip();
      const got = await launching(layer.kernel, () => result(layer, cudaSim!));
      expect(relativeError(got, await result(layer, gmr.Device.open('cpu')))).to.be.below(float32Tolerance);
    });
  }

  for (const layer of weightLayers) {
    it(`${layer.kernel} of ${layer.x.join(' x ')}`, async function () {
      if (cudaSim === undefined) return this.skip();
      const got = await launching(layer.kernel, () => weightGradient(layer, 'float32', cudaSim!));
      const expected = await weightGradient(layer, 'float32', gmr.Device.open('cpu'));
      expect(relativeError(got, expected)).to.be.below(float32Tolerance);
    });
  }

  for (const layer of weightLayers.filter(({ groups }) => groups === undefined)) {
    const { x, kernel } = layer;
    it(`${kernel} of ${x.join(' x ')}: pixels that are none leave what is infinite as it is`, async function () {
      if (cudaSim === undefined) return this.skip();
      const lastOfPlane = x[2] * x[3] - 1;
      await expectInfinityKept(layer, 'float32', cudaSim, lastOfPlane);
    });
  }
});
