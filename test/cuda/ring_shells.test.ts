// The 3-D ring convolutions by shells, against the processor: volumes of many tiles, which are too large for the loops of
// the op's cases.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { ringConvNormalised } from '../../lib/ops/ring_conv.js';
import { underSchedules } from '../support/cuda_sim.js';
import { cudaSim } from '../support/devices.js';
import { bfloat16Rounding, float32Tolerance, normal, relativeError, uniform } from '../support/ndarray.js';
import { expectInfinityKept, launching, type RingLayer, type RingShape } from '../support/ring_kernels.js';

interface Layer extends RingLayer<RingShape> {
  name: string;
  dtype: 'float32' | 'bfloat16';
  /** Of y, dx and dv. */
  kernels: string[];
}

const floats = (side: number, forward: string, input: string): string[] => [
  `ring_shells_float_kernel<${side}, ${forward}>`,
  `ring_shells_float_kernel<${side}, ${input}>`,
  `ring_shells_float_backward_weight_kernel<${side}, ${forward.split(', ')[1]}>`, // as many outputs a tile
];
// An sm_80 has too little shared memory for a sweep of 64 channels at k = 9.
const sweepOf = (side: number, channels: number): string =>
  side === 9 && channels === 64 ? 'ring_shells_kernel<9>' : `ring_sweep_kernel<${side}, ${channels}>`;
const sweeps = (side: number, forward: number, input: number): string[] => [
  sweepOf(side, forward),
  sweepOf(side, input),
  `ring_sweep_backward_weight_kernel<${side}>`,
];

// Rows that are copied 16, 8 and 4 bytes at a time, volumes with no whole tiles, depths of 7 and 8 slices a tile, tiles of
// outputs that are not full, chunks of 8 channels that are not.
const float32Layers: Omit<Layer, 'dtype'>[] = [
  { name: 'depth of 7', x: [2, 20, 7, 9, 8], outputs: 40, side: 3, kernels: floats(3, '7, 64', '7, 32') },
  { name: 'depth of 8', x: [1, 35, 8, 5, 10], outputs: 70, side: 3, kernels: floats(3, '8, 64', '8, 64') },
  { name: 'odd rows', x: [1, 9, 14, 6, 7], outputs: 30, side: 5, kernels: floats(5, '7, 32', '7, 32') },
  { name: 'depth of 14', x: [1, 33, 14, 5, 6], outputs: 40, side: 5, kernels: floats(5, '7, 64', '7, 64') },
  { name: 'two tiles of outputs', x: [1, 40, 16, 7, 5], outputs: 90, side: 5, kernels: floats(5, '8, 64', '8, 64') },
  { name: 'groups', x: [2, 14, 5, 6, 12], outputs: 80, side: 9, groups: 2, kernels: floats(9, '7, 64', '7, 32') },
  {
    name: 'little padding',
    x: [1, 6, 14, 12, 13],
    outputs: 34,
    side: 9,
    padding: 1,
    kernels: floats(9, '8, 64', '7, 32'),
  },
  { name: 'much padding', x: [1, 33, 2, 3, 6], outputs: 10, side: 9, padding: 8, kernels: floats(9, '7, 32', '7, 64') },
];

// With so many columns of 4 x 4 a sweep is not cut: there is one for each of them.
const columns = 70;
const uncut = `"grid":[${columns},1,1]`;

// Rows that are copied 8 and 4 bytes and element by element, of x and of dy; sweeps in one piece, of which the panel of
// eight slices holds a part at a time, and in several; bands of 32 channels; more outputs than a tile of dv has; blocks
// with several tiles; padding of none, little, and more than a kernel.
const bfloat16Layers: Omit<Layer, 'dtype'>[] = [
  { name: 'rows of words', x: [1, 20, 9, 5, 10], outputs: 40, side: 3, kernels: sweeps(3, 32, 64) },
  { name: 'odd rows', x: [2, 33, 6, 9, 7], outputs: 21, side: 3, kernels: sweeps(3, 64, 32) },
  { name: 'rows of 16 bytes', x: [1, 18, 11, 6, 8], outputs: 64, side: 5, kernels: sweeps(5, 32, 64) },
  { name: 'groups, odd rows', x: [1, 80, 5, 7, 9], outputs: 40, side: 5, groups: 2, kernels: sweeps(5, 64, 32) },
  { name: 'pieces of 8 bytes', x: [1, 20, 9, 6, 12], outputs: 40, side: 9, kernels: sweeps(9, 32, 64) },
  { name: 'pieces of words', x: [1, 34, 6, 5, 10], outputs: 32, side: 9, kernels: sweeps(9, 64, 32) },
  { name: 'odd rows', x: [1, 17, 7, 6, 7], outputs: 30, side: 9, kernels: sweeps(9, 32, 32) },
  { name: 'whole sweeps', x: [columns, 3, 12, 4, 3], outputs: 20, side: 3, kernels: [...sweeps(3, 32, 32), uncut] },
  { name: 'whole sweeps', x: [columns, 2, 11, 4, 4], outputs: 18, side: 5, kernels: [...sweeps(5, 32, 32), uncut] },
  { name: 'whole sweeps', x: [columns, 2, 14, 3, 4], outputs: 5, side: 5, kernels: [...sweeps(5, 32, 32), uncut] },
  { name: 'whole sweeps', x: [columns, 2, 13, 4, 4], outputs: 20, side: 9, kernels: [...sweeps(9, 32, 32), uncut] },
  { name: 'a sweep in pieces', x: [1, 17, 64, 3, 4], outputs: 20, side: 9, kernels: sweeps(9, 32, 32) },
  { name: 'little padding', x: [1, 17, 13, 12, 11], outputs: 34, side: 9, padding: 1, kernels: sweeps(9, 32, 64) },
  { name: 'no padding', x: [1, 17, 13, 12, 11], outputs: 34, side: 5, padding: 0, kernels: sweeps(5, 32, 64) },
  {
    name: 'padding beyond the kernel',
    x: [1, 5, 4, 6, 5],
    outputs: 17,
    side: 3,
    padding: 4,
    kernels: sweeps(3, 32, 32),
  },
  { name: 'much padding', x: [1, 18, 2, 3, 6], outputs: 18, side: 9, padding: 8, kernels: sweeps(9, 32, 32) },
  {
    name: 'groups, several tiles a block',
    x: [2, 140 * 17, 3, 4, 4],
    outputs: 140 * 17,
    side: 3,
    groups: 140,
    kernels: sweeps(3, 32, 32),
  },
  ...[3, 5].map((side) => ({
    name: 'many channels, rows of words, groups',
    x: [1, 130, 5, 6, 10] as const,
    outputs: 6,
    side,
    groups: 2,
    kernels: [`ring_shells_kernel<${side}>`, `ring_sweep_backward_weight_kernel<${side}>`],
  })),
  ...[3, 5, 9].map((side) => ({
    name: 'many channels and outputs',
    x: [1, 70, 9, 6, 7] as const,
    outputs: 140,
    side,
    kernels: [`ring_shells_kernel<${side}>`, `ring_sweep_backward_weight_kernel<${side}>`],
  })),
];

const float32 = float32Layers.map((layer): Layer => ({ ...layer, dtype: 'float32' }));
const bfloat16 = bfloat16Layers.map((layer): Layer => ({ ...layer, dtype: 'bfloat16' }));
const layers = [...float32, ...bfloat16];
const titleOf = ({ name, dtype, side }: Layer): string => `${dtype}, k = ${side}, ${name}`;
const toleranceOf = ({ dtype }: Layer): number => (dtype === 'float32' ? float32Tolerance : bfloat16Rounding);

/** y, dx and dv. */
async function results(layer: Layer, device: gmr.Device): Promise<ArrayLike<number>[]> {
  const { x, outputs, side, groups = 1, padding = (side - 1) / 2, dtype } = layer;
  const random = uniform(5);
  const make = (shape: readonly number[], type: gmr.DType, requiresGrad = false): gmr.Tensor =>
    gmr.tensor(Float32Array.from(normal(shape, random).data), shape, { device, dtype: type, requiresGrad });
  const input = make(x, dtype, true);
  const weights = make([outputs, x[1] / groups, (side + 1) / 2], 'float32', true);
  const bias = make([outputs], 'float32');
  const y = gmr.ops.ringConv(input, weights, { kernelSize: [side, side, side], padding, groups, bias });
  y.backward(make(y.shape, dtype));
  return [await y.data(), await input.grad!.data(), await weights.grad!.data()];
}

async function normalised({ x, outputs, side, dtype }: Layer, device: gmr.Device): Promise<ArrayLike<number>> {
  const random = uniform(6);
  const make = (shape: readonly number[], type: gmr.DType = 'float32'): gmr.Tensor =>
    gmr.tensor(Float32Array.from(normal(shape, random).data), shape, { device, dtype: type });
  const options = { kernelSize: [side, side, side], padding: (side - 1) / 2, bias: make([outputs]) };
  const input = make(x, dtype);
  const weights = make([outputs, x[1], (side + 1) / 2]);
  const after = { mean: make([outputs]), scale: make([outputs]), shift: make([outputs]), relu: true };
  return ringConvNormalised(input, weights, options, after).data();
}

describe('CUDA ring convolution by shells', () => {
  before(function () {
    if (cudaSim === undefined) this.skip(); // devices.ts says why
  });

  for (const layer of layers) {
    it(titleOf(layer), async () => {
      const got = await launching(layer.kernels, () => results(layer, cudaSim!));
      const expected = await results(layer, gmr.Device.open('cpu'));
      for (const [i, what] of ['y', 'dx', 'dv'].entries()) {
        expect(relativeError(got[i]!, expected[i]!), what).to.be.below(toleranceOf(layer));
      }
    });
  }

  for (const layer of [float32[0]!, bfloat16[4]!, bfloat16.at(-1)!]) {
    it(`${titleOf(layer)}, normalised`, async () => {
      const got = await launching(layer.kernels[0]!, () => normalised(layer, cudaSim!));
      const expected = await normalised(layer, gmr.Device.open('cpu'));
      expect(relativeError(got, expected)).to.be.below(toleranceOf(layer));
    });
  }

  for (const layer of layers.filter(({ groups, padding }) => groups === undefined && padding === undefined)) {
    it(`${titleOf(layer)}: voxels that are none leave what is infinite as it is`, async () => {
      const last = layer.x.slice(2).reduce((n, extent) => n * extent) - 1;
      await expectInfinityKept(layer, layer.dtype, cudaSim!, last);
    });
  }

  for (const layer of [float32[2]!, bfloat16[7]!]) {
    it(`${titleOf(layer)}: the same bits for any schedule`, async () => {
      const bits = await underSchedules(async () =>
        (await results(layer, cudaSim!)).map((values) => Array.from(values).join()).join('\n'),
      );
      expect(new Set(bits).size).to.equal(1);
    });
  }
});
