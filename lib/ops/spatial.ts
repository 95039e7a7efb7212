// Arguments that have a value for each spatial axis.
import type { Triple } from '../../binding.js';
import { expectArray, expectInteger, fail } from '../errors.js';
import type { Tensor } from '../tensor.js';

/** One number for all spatial axes, or one for each: depth, height, width in this order, as many as there are. */
export type Extents = number | readonly number[];

/** @internal Number of spatial axes of `[N, C, (D,) (H,) W]`. */
export function spatialRank(x: Tensor): number {
  return x.shape.length - 2;
}

/** @internal One integer in [min, max] for each of `rank` axes. */
export function perAxis(
  op: string,
  argument: string,
  value: unknown,
  rank: number,
  min: number,
  max?: number,
): number[] {
  if (Array.isArray(value)) {
    const items = expectArray(op, argument, value, `a number or an array of ${rank}`, rank);
    return items.map((item, axis) => expectInteger(op, `${argument}[${axis}]`, item, min, max));
  }
  return new Array<number>(rank).fill(expectInteger(op, argument, value, min, max));
}

/** @internal By how much each spatial axis of `x`, padded on both sides, is longer than a window, or an error where it is shorter. */
export function expectWindowFits(
  op: string,
  x: Tensor,
  kernelSize: readonly number[],
  padding: readonly number[],
  dilation?: readonly number[],
): number[] {
  return kernelSize.map((side, axis) => {
    const reach = (side - 1) * (dilation?.[axis] ?? 1) + 1;
    const padded = x.shape[axis + 2]! + 2 * padding[axis]!;
    if (padded >= reach) return padded - reach;
    return fail(
      op,
      'x',
      `be at least ${reach} long on spatial axis ${axis}, padding included`,
      padded,
      'invalid_shape',
    );
  });
}

/** @internal Extents as native code takes them: three, axes that are not there filled in front. */
export function toTriple(extents: readonly number[], fill: number): Triple {
  return [...new Array<number>(3 - extents.length).fill(fill), ...extents] as unknown as Triple;
}
