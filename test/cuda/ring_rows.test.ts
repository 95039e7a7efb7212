// The bfloat16 ring convolutions whose tiles are whole rows, against the processor: images of many tiles, which are too
// large for the loops of the op's cases.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { cudaSimControl } from '../support/cuda_sim.js';
import { cudaSim } from '../support/devices.js';
import { bfloat16Rounding, normal, relativeError, uniform } from '../support/ndarray.js';

interface Layer {
  name: string;
  x: [images: number, channels: number, height: number, width: number];
  outputs: number;
  side: number;
  groups?: number;
}

// A tile of each needs a block, and below 96 blocks another kernel takes the layer.
const layers: Layer[] = [
  { name: 'rows of 56, a last tile of one row', x: [12, 9, 57, 56], outputs: 20, side: 9 },
  { name: 'rows of 56, groups, images of one row', x: [48, 34, 1, 56], outputs: 40, side: 9, groups: 2 },
  { name: 'rows of 28, a last tile of one row', x: [32, 9, 15, 28], outputs: 65, side: 9 },
  { name: 'rows of 28, groups, more outputs than a tile', x: [24, 66, 1, 28], outputs: 260, side: 9, groups: 2 },
  { name: 'rows of 14', x: [48, 72, 14, 14], outputs: 128, side: 5 },
  { name: 'rows of 14, groups, a last tile of one row', x: [24, 18, 8, 14], outputs: 134, side: 5, groups: 2 },
];

// Whose weight gradients are made in tiles of whole rows, of seven or fourteen.
const weightLayers: Layer[] = [
  { name: 'rows of 56', x: [2, 9, 21, 56], outputs: 20, side: 9 },
  { name: 'rows of 56, groups, several tiles a block', x: [24, 66, 7, 56], outputs: 132, side: 9, groups: 2 },
  { name: 'rows of 28', x: [3, 9, 28, 28], outputs: 20, side: 9 },
  { name: 'rows of 28, groups, images of one tile', x: [2, 34, 14, 28], outputs: 130, side: 9, groups: 2 },
  { name: 'rows of 14', x: [5, 40, 14, 14], outputs: 128, side: 5 },
  { name: 'rows of 14, groups, several tiles a block', x: [40, 70, 14, 14], outputs: 268, side: 5, groups: 2 },
];

async function results({ x, outputs, side, groups = 1 }: Layer, device: gmr.Device): Promise<ArrayLike<number>[]> {
  const hasBothWays = x[1] / groups > 64; // else another kernel makes the gradient of the input
  const random = uniform(5);
  const make = (shape: readonly number[], dtype: gmr.DType, requiresGrad = false): gmr.Tensor =>
    gmr.tensor(Float32Array.from(normal(shape, random).data), shape, { device, dtype, requiresGrad });
  const input = make(x, 'bfloat16', hasBothWays);
  const weights = make([outputs, x[1] / groups, (side + 1) / 2], 'float32');
  const bias = make([outputs], 'float32');
  const padding = (side - 1) / 2;
  const y = gmr.ops.ringConv(input, weights, { kernelSize: [side, side], padding, groups, bias });
  if (!hasBothWays) return [await y.data()];
  y.backward(make(y.shape, 'bfloat16'));
  return [await y.data(), await input.grad!.data()];
}

// dv, with x and dy of random numbers; or with dy of ones and the last value of a row infinite.
async function weightGradient(
  { x, outputs, side, groups = 1 }: Layer,
  device: gmr.Device,
  values: 'random' | 'infinite' = 'random',
): Promise<ArrayLike<number>> {
  const random = uniform(6);
  const normals = (shape: readonly number[]) => Float32Array.from(normal(shape, random).data);
  const inputs = normals(x);
  if (values === 'infinite') inputs[2 * x[3] - 1] = Infinity;
  const input = gmr.tensor(inputs, x, { device, dtype: 'bfloat16' });
  const shape = [outputs, x[1] / groups, (side + 1) / 2];
  const weights = gmr.tensor(normals(shape), shape, { device, requiresGrad: true });
  const y = gmr.ops.ringConv(input, weights, { kernelSize: [side, side], padding: (side - 1) / 2, groups });
  const gradient = values === 'infinite' ? new Float32Array(y.size).fill(1) : normals(y.shape);
  y.backward(gmr.tensor(gradient, y.shape, { device, dtype: 'bfloat16' }));
  return weights.grad!.data();
}

describe('CUDA ring convolution in whole rows', () => {
  for (const layer of layers) {
    it(layer.name, async function () {
      if (cudaSim === undefined) return this.skip();
      cudaSimControl().setCounting(true);
      const got = await results(layer, cudaSim);
      cudaSimControl().setCounting(false);
      expect(cudaSimControl().counters()).to.include('ring_rows_kernel');
      const expected = await results(layer, gmr.Device.open('cpu'));
      for (const [i, values] of expected.entries()) {
        expect(relativeError(got[i]!, values)).to.be.below(bfloat16Rounding);
      }
    });
  }
  for (const layer of weightLayers) {
    it(`weight gradient, ${layer.name}`, async function () {
      if (cudaSim === undefined) return this.skip();
      cudaSimControl().setCounting(true);
      const got = await weightGradient(layer, cudaSim);
      cudaSimControl().setCounting(false);
      expect(cudaSimControl().counters()).to.include('ring_rows_backward_weight_kernel');
      expect(relativeError(got, await weightGradient(layer, gmr.Device.open('cpu')))).to.be.below(bfloat16Rounding);
    });
  }

  for (const layer of weightLayers.filter(({ groups }) => groups === undefined)) {
    it(`weight gradient, ${layer.name}: columns that are none leave what is infinite as it is`, async function () {
      if (cudaSim === undefined) return this.skip();
      const got = Array.from(await weightGradient(layer, cudaSim, 'infinite'));
      const rings = (layer.side + 1) / 2;
      // Of channel 0 alone, in every ring.
      const isSeen = got.map((_, i) => i % (layer.x[1] * rings) < rings);
      expect(got.map((value) => value === Infinity)).to.deep.equal(isSeen);
      expect(got.map((value) => !Number.isFinite(value))).to.deep.equal(isSeen);
    });
  }
});
