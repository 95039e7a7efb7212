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

/** dv, with x and dy of random numbers; or with dy of ones and element `infiniteAt` of x infinite. */
export async function weightGradient(
  { x, outputs, side, groups = 1, padding = (side - 1) / 2 }: RingLayer<RingShape>,
  dtype: 'float32' | 'bfloat16',
  device: gmr.Device,
  infiniteAt?: number,
): Promise<ArrayLike<number>> {
  const random = uniform(6);
  const normals = (shape: readonly number[]) => Float32Array.from(normal(shape, random).data);
  const inputs = normals(x);
  if (infiniteAt !== undefined) inputs[infiniteAt] = Infinity;
  const input = gmr.tensor(inputs, x, { device, dtype });
  const shape = [outputs, x[1] / groups, (side + 1) / 2];
  const weights = gmr.tensor(normals(shape), shape, { device, requiresGrad: true });
  const y = gmr.ops.ringConv(input, weights, { kernelSize: x.slice(2).map(() => side), padding, groups });
  const gradient = infiniteAt === undefined ? normals(y.shape) : new Float32Array(y.size).fill(1);
  y.backward(gmr.tensor(gradient, y.shape, { device, dtype }));
  return weights.grad!.data();
}

/** Of an element of channel 0: infinity in every ring of that channel, and all else finite. */
export function expectInfiniteChannel(dv: ArrayLike<number>, { x, side }: RingLayer<RingShape>): void {
  const rings = (side + 1) / 2;
  const values = Array.from(dv);
  const isSeen = values.map((_, i) => i % (x[1] * rings) < rings);
  expect(values.map((value) => value === Infinity)).to.deep.equal(isSeen);
  expect(values.map((value) => !Number.isFinite(value))).to.deep.equal(isSeen);
}
