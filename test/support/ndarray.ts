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

/** The most that rounding to bfloat16 changes a number by, relative: half of the last of its 8 binary digits. */
export const bfloat16Rounding = 2 ** -8;

/** The nearest bfloat16, of two that are equally near the one whose last digit is 0. From the definition, in float64. */
export function toBfloat16(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const lastDigit = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), -126) - 7);
  const digits = Math.abs(value) / lastDigit;
  const below = Math.floor(digits);
  const rest = digits - below;
  const rounded = rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
  const magnitude = rounded * lastDigit;
  return Math.sign(value) * (magnitude >= 2 ** 128 ? Infinity : magnitude);
}

/**
 * For results that were worked out in float32 and then rounded to bfloat16: an element is off by what rounding it may change, and
 * by what float32 may be off by (`tolerance`, relative, of the norm).
 */
export function expectRounded(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  tolerance = float32Tolerance,
): void {
  expect(actual.length, `${what}: length`).to.equal(expected.length);
  const float32Error = tolerance * norm(expected);
  for (let i = 0; i < expected.length; ++i) {
    const error = Math.abs(actual[i]! - expected[i]!);
    const limit = bfloat16Rounding * (Math.abs(expected[i]!) + float32Error) + float32Error;
    if (!(error <= limit)) expect.fail(`${what}: [${i}] is ${actual[i]}, off by ${error}, limit ${limit}`);
  }
}
