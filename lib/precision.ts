// How exact products of float32 are, as PyTorch's torch.set_float32_matmul_precision.
import { fail } from './errors.js';

// In the order of native/ops/conv/float32_precision.h.
const precisions = ['highest', 'high'] as const;

export type Float32MatmulPrecision = (typeof precisions)[number];

let current: Float32MatmulPrecision = 'highest';

/**
 * Chooses how convolutions and linear layers multiply float32, for calls from now on in this thread (each worker has a setting of its own).
 * A gradient uses what was set at its forward call. It is a permission: what has no faster way computes at `'highest'`, as the processor
 * does always. docs/cuda.md says which GPUs have one, and how exact it is.
 * @param precision `'highest'` (default): float32 products. `'high'`: TF32 tensor cores, with each operand as the sum of two TF32
 *   numbers: all but the last digits of float32 are kept; an infinity comes out as NaN.
 */
export function setFloat32MatmulPrecision(precision: Float32MatmulPrecision): void {
  if (!precisions.includes(precision)) {
    fail('setFloat32MatmulPrecision', 'precision', `be one of ${precisions.join(', ')}`, precision);
  }
  current = precision;
}

/** What `setFloat32MatmulPrecision` set last. */
export function getFloat32MatmulPrecision(): Float32MatmulPrecision {
  return current;
}

/** @internal The number by which native code knows it. */
export function float32MatmulPrecisionIndex(): number {
  return precisions.indexOf(current);
}
