// The work of a ring convolution, in ring space.
import { bytesOf, product, type Work } from './cases.js';

export interface RingLayer {
  batch: number;
  inputs: number;
  outputs: number;
  extents: readonly number[];
  kernel: readonly number[];
}

/** Rings of a circular kernel whose first side is `side`. */
export function ringCount(side: number): number {
  return Math.floor(side / 2) + 1;
}

/**
 * Additions a pixel and channel for all ring sums when they are built hierarchically. Row runs of half-width 1, 2, ... grow by two
 * additions each: 2 floor(k/2) in all. The ball of each ring's outer edge is then a sum of one run for each (dz, dy) that it
 * reaches: 2l+1 runs in 2-D, a single one in 1-D, in 3-D the taps of a disc. The differences of balls fold into the weights.
 */
export function ringAdditions(kernel: readonly number[]): number {
  const [width = 1, height = 1, depth = 1] = kernel.toReversed();
  const rings = ringCount(kernel[0]!);
  const reach = [depth, height].map((side) => Math.floor(side / 2)) as [number, number];
  let runs = 0;
  for (let ring = 0; ring < rings; ++ring) {
    const edge = ((ring + 1) * (Math.floor(kernel[0]! / 2) + 0.5)) / rings;
    for (let dz = -reach[0]; dz <= reach[0]; ++dz) {
      for (let dy = -reach[1]; dy <= reach[1]; ++dy) runs += Math.hypot(dz, dy) < edge ? 1 : 0;
    }
  }
  return runs + 2 * Math.floor(width / 2);
}

/** Forward: one product and the ring sums of x. Train step: three products, ring sums of x twice (not stored) and of dy once. */
export function ringConvWork({ batch, inputs, outputs, extents, kernel }: RingLayer): { forward: Work; train: Work } {
  const pixels = batch * product(extents);
  const rings = ringCount(kernel[0]!);
  const flops = 2 * pixels * outputs * inputs * rings;
  const additions = pixels * ringAdditions(kernel);
  const x = [pixels, inputs];
  const y = [pixels, outputs];
  const v = [outputs, inputs, rings];
  return {
    forward: { flops, additions: inputs * additions, bytes: bytesOf(x, v, y) },
    train: {
      flops: 3 * flops,
      additions: (2 * inputs + outputs) * additions,
      bytes: bytesOf(x, v, y) + bytesOf(y, v, x) + bytesOf(x, y, v),
    },
  };
}
