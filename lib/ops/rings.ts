// Ring arguments that several ops take. The limits are those of native/ops/rings.h.
import { expectInteger, fail } from '../errors.js';
import type { Tensor } from '../tensor.js';

const maxKernelSide = 2047;
const maxRingCount = 2048;

/** The number of rings that a `[O, C/G, R]` tensor holds, or an error. */
export function expectRings(op: string, argument: string, value: Tensor): number {
  const rings = value.shape[2]!;
  if (rings < 1 || rings > maxRingCount) {
    fail(op, argument, `have 1 to ${maxRingCount} rings on its last axis`, value.shape, 'invalid_shape');
  }
  return rings;
}

/** One to three odd sides, or an error. */
export function expectKernelSize(op: string, argument: string, value: readonly number[]): readonly number[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > 3)
    fail(op, argument, 'be an array of 1 to 3 sides', value);
  value.forEach((side, axis) => expectInteger(op, `${argument}[${axis}]`, side, 1, maxKernelSide));
  if (value.some((side) => side % 2 === 0)) {
    fail(op, argument, 'have odd sides (an even side has no centre tap, so the kernel cannot be equivariant)', value);
  }
  return value;
}
