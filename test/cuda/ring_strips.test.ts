// The float32 ring convolutions in strips whose tiles are 128 outputs wide, against the processor: only with 96 tiles and
// more are there such, too many for the loops of the op's cases.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { cudaSimControl } from '../support/cuda_sim.js';
import { cudaSim } from '../support/devices.js';
import { float32Tolerance, normal, relativeError, uniform } from '../support/ndarray.js';

interface Layer {
  x: [images: number, channels: number, height: number, width: number];
  outputs: number;
  side: number;
  kernel: string;
  groups?: number;
}

const layers: Layer[] = [
  { x: [65, 10, 7, 23], outputs: 70, side: 5, kernel: 'ring_strips_kernel<5, 7, 128>' },
  { x: [97, 5, 8, 13], outputs: 66, side: 5, kernel: 'ring_strips_kernel<5, 8, 128>' },
  { x: [49, 10, 7, 16], outputs: 260, side: 9, kernel: 'ring_strips_kernel<9, 7, 128>', groups: 2 },
  { x: [77, 6, 8, 18], outputs: 129, side: 9, kernel: 'ring_strips_kernel<9, 8, 128>' },
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
      cudaSimControl().setCounting(true);
      const got = await result(layer, cudaSim);
      cudaSimControl().setCounting(false);
      expect(cudaSimControl().counters()).to.include(layer.kernel);
      expect(relativeError(got, await result(layer, gmr.Device.open('cpu')))).to.be.below(float32Tolerance);
    });
  }
});
