// Float64 arrays for the oracles, and the yardstick by which results are compared.
import { expect } from 'chai';
import { mersenne } from 'pure-rand/generator/mersenne';

export interface NdArray {
  shape: number[];
  data: Float64Array;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((n, extent) => n * extent, 1);
}

export function zeros(shape: readonly number[]): NdArray {
  return { shape: [...shape], data: new Float64Array(sizeOf(shape)) };
}

/** A seeded source of uniform numbers in [0, 1). */
export function uniform(seed: number): () => number {
  const generator = mersenne(seed);
  return () => (generator.next() >>> 0) / 2 ** 32;
}

/** Standard normal numbers, rounded to float32 so that library and oracle see the same values. */
export function normal(shape: readonly number[], random: () => number): NdArray {
  const array = zeros(shape);
  for (let i = 0; i < array.data.length; ++i) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    array.data[i] = Math.fround(radius * Math.cos(2 * Math.PI * random()));
  }
  return array;
}

export function norm(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; ++i) total += values[i]! ** 2;
  return Math.sqrt(total);
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < a.length; ++i) total += a[i]! * b[i]!;
  return total;
}

/** ||actual - expected|| / ||expected||; NaN where either has one. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  for (let i = 0; i < expected.length; ++i) difference += (actual[i]! - expected[i]!) ** 2;
  const scale = norm(expected);
  return scale === 0 ? Math.sqrt(difference) : Math.sqrt(difference) / scale;
}

/** float32 results of sums of some thousand terms stay below this; the golden cases ask for the same. */
export const float32Tolerance = 1e-5;

/** The most that rounding to bfloat16 changes a number by, relative: half of the last of its 8 binary digits. */
export const bfloat16Rounding = 2 ** -8;

export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  tolerance = float32Tolerance,
): void {
  expect(actual.length, `${what}: length`).to.equal(expected.length);
  const error = relativeError(actual, expected);
  expect(error <= tolerance, `${what}: relative error ${error.toExponential(2)} > ${tolerance}`).to.equal(true);
}
