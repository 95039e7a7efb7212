// What tests of the CUDA kernels of ring convolutions share.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { cudaSimControl } from './cuda_sim.js';
import { normal, uniform } from './ndarray.js';

/** Of x: images, channels, extents. */
export type RingShape = readonly [number, number, ...number[]];

export interface RingLayer<
  Shape extends RingShape = [images: number, channels: number, height: number, width: number],
> {
  x: Shape;
  outputs: number;
  side: number;
  /** Default 1. */
  groups?: number;
  /** Default half of the side. */
  padding?: number;
}

/** Has too little shared memory on the sm_80 that tests run; architectures.test.ts demands it of sm_90 and 100. By either name. */
export const tooLargeForSm80 = /ring_sweep_kernel(<9, 64>|ILi9ELi64E)/;

/** What `run` resolves to; it must launch kernels of these names. */
export async function launching<T>(kernels: string | readonly string[], run: () => Promise<T>): Promise<T> {
  const control = cudaSimControl();
  control.setCounting(true);
  const result = await run();
  control.setCounting(false);
  const counters = control.counters();
  for (const kernel of [kernels].flat()) expect(counters).to.include(kernel);
  return result;
}

/** An element of one of them is infinite; the other is ones. */
interface Infinite {
  of: 'x' | 'dy';
  at: number;
}

/** dv, with x and dy of random numbers but for what is infinite. */
export async function weightGradient(
  { x, outputs, side, groups = 1, padding = (side - 1) / 2 }: RingLayer<RingShape>,
  dtype: 'float32' | 'bfloat16',
  device: gmr.Device,
  infinite?: Infinite,
): Promise<ArrayLike<number>> {
  const random = uniform(6);
  const normals = (shape: readonly number[]) => Float32Array.from(normal(shape, random).data);
  const valuesOf = (name: Infinite['of'], shape: readonly number[]) => {
    const values = normals(shape);
    if (infinite?.of === name) values[infinite.at] = Infinity;
    else if (infinite !== undefined) values.fill(1);
    return values;
  };
  const input = gmr.tensor(valuesOf('x', x), x, { device, dtype });
  const shape = [outputs, x[1] / groups, (side + 1) / 2];
  const weights = gmr.tensor(normals(shape), shape, { device, requiresGrad: true });
  const y = gmr.ops.ringConv(input, weights, { kernelSize: x.slice(2).map(() => side), padding, groups });
  y.backward(gmr.tensor(valuesOf('dy', y.shape), y.shape, { device, dtype }));
  return weights.grad!.data();
}

/**
 * Demands that what is infinite stays where it is: of element `at` of x, in channel 0, in every ring of that channel; of the first
 * element of dy in every weight of the first output. Without groups.
 */
export async function expectInfinityKept(
  layer: RingLayer<RingShape>,
  dtype: 'float32' | 'bfloat16',
  device: gmr.Device,
  at: number,
): Promise<void> {
  const rings = (layer.side + 1) / 2;
  const weights = layer.x[1] * rings; // of an output
  expectInfinite(await weightGradient(layer, dtype, device, { of: 'x', at }), (i) => i % weights < rings);
  expectInfinite(await weightGradient(layer, dtype, device, { of: 'dy', at: 0 }), (i) => i < weights);
}

function expectInfinite(dv: ArrayLike<number>, isSeen: (i: number) => boolean): void {
  const values = Array.from(dv);
  const expected = values.map((_, i) => isSeen(i));
  expect(values.map((value) => value === Infinity)).to.deep.equal(expected);
  expect(values.map((value) => !Number.isFinite(value))).to.deep.equal(expected);
}
