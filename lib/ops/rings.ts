// Ring arguments that several ops take. The limits are those of native/ops/rings.h.
import { expectArray, expectInteger, fail } from '../errors.js';
import { elementCount, type Tensor } from '../tensor.js';

const maxKernelSide = 2047;
const maxRingCount = 2048;

/** @internal An error where tables over all taps of a kernel would be large. */
export function expectFewTaps(op: string, argument: string, sides: readonly number[]): void {
  if (elementCount(sides) > 2 ** 24) fail(op, argument, 'have at most 2^24 taps', sides);
}

/** The number of rings that a `[O, C/G, R]` tensor holds, or an error. */
export function expectRings(op: string, argument: string, value: Tensor): number {
  const rings = value.shape[2]!;
  if (rings < 1 || rings > maxRingCount) {
    fail(op, argument, `have 1 to ${maxRingCount} rings on its last axis`, value.shape, 'invalid_shape');
  }
  return rings;
}

/** One to three odd sides, or an error. */
export function expectKernelSize(op: string, argument: string, value: unknown): readonly number[] {
  const sides = expectArray(op, argument, value, 'an array of 1 to 3 sides', 1, 3).map((side, axis) =>
    expectInteger(op, `${argument}[${axis}]`, side, 1, maxKernelSide),
  );
  if (sides.some((side) => side % 2 === 0)) {
    fail(op, argument, 'have odd sides (an even side has no centre tap, so the kernel cannot be equivariant)', value);
  }
  expectFewTaps(op, argument, sides);
  return sides;
}
