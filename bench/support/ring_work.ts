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

/** Additions a pixel and channel for all ring sums when they are built hierarchically, in whichever way takes fewer. */
export function ringAdditions(kernel: readonly number[]): number {
  const [side = 1] = kernel;
  const hasShells = kernel.length === 3 && side > 1 && side <= 9 && kernel.every((other) => other === side);
  return Math.min(runAdditions(kernel), hasShells ? shellAdditions(side) : Infinity);
}

/** Squared distance of the outer edge of each ring, of a standard kernel. */
function edges(side: number): number[] {
  const rings = ringCount(side);
  return Array.from({ length: rings }, (_, ring) => (((ring + 1) * (Math.floor(side / 2) + 0.5)) / rings) ** 2);
}

/**
 * Row runs of half-width 1, 2, ... grow by two additions each: 2 floor(k/2) in all. The ball of each ring's outer edge is then a
 * sum of one run for each (dz, dy) that it reaches: 2l+1 runs in 2-D, a single one in 1-D, in 3-D the taps of a disc. The
 * differences of balls fold into the weights.
 */
function runAdditions(kernel: readonly number[]): number {
  const [width = 1, height = 1, depth = 1] = kernel.toReversed();
  const reach = [depth, height].map((side) => Math.floor(side / 2)) as [number, number];
  let runs = 0;
  for (const edge of edges(kernel[0]!)) {
    for (let dz = -reach[0]; dz <= reach[0]; ++dz) {
      for (let dy = -reach[1]; dy <= reach[1]; ++dy) runs += dz * dz + dy * dy < edge ? 1 : 0;
    }
  }
  return runs + 2 * Math.floor(width / 2);
}

/**
 * A slice of a cube's window folded once for all rings that it adds to: columns to the left and right of the middle, then rows
 * above and below it. Taps that have the same ring in every slice are summed to one atom, atoms to what a ring gets from a
 * slice, and that is added to the sums of the ring about the slices before and behind.
 */
function shellAdditions(side: number): number {
  const half = Math.floor(side / 2);
  const offsets = Array.from({ length: half + 1 }, (_, offset) => offset);
  const outer = edges(side);
  /** The ring of a tap in each slice, from the middle on; -1: none. */
  const ringsOf = (distance: number): number[] =>
    offsets.map((dz) => outer.findIndex((edge) => distance + dz * dz < edge));
  const taps = offsets
    .flatMap((b) => offsets.map((a) => ({ b, distance: a * a + b * b })))
    .filter(({ distance }) => distance < outer.at(-1)!)
    .toSorted((one, other) => one.distance - other.distance);
  const atoms = [...new Set(taps.map(({ distance }) => ringsOf(distance).join()))].map((rings) => rings.split(','));
  const sumsOfTaps = taps.reduce((sums, { b }) => sums + (b > 0 ? 2 : 1), 0) - atoms.length;
  /** What several shares begin with is added once. */
  const shares = new Set<string>();
  let slices = 0;
  for (const dz of offsets) {
    for (const ring of outer.keys()) {
      const share = [...atoms.keys()].filter((atom) => atoms[atom]![dz] === `${ring}`);
      for (let length = 2; length <= share.length; ++length) shares.add(share.slice(0, length).join());
      if (dz > 0 && share.length > 0) slices += 2;
    }
  }
  return half + sumsOfTaps + shares.size + slices;
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
