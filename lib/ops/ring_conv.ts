import type { RingKernel } from '../../binding.js';
import { record } from '../autograd.js';
import { expectBoolean, expectOptions, fail, type OptionNames } from '../errors.js';
import { activationDTypes, emptyLike, expectTensor, run, type Tensor } from '../tensor.js';
import {
  biasGradient,
  convGeometry,
  convOptionNames,
  convTransposeGeometry,
  convTransposeOptionNames,
  epilogue,
  type ConvOptions,
  type ConvTransposeOptions,
  type Normalisation,
} from './conv_geometry.js';
import { expectFewTaps } from './rings.js';
import { perAxis, spatialRank } from './spatial.js';

export interface RingConvOptions extends ConvOptions {
  /** Kernel sides, odd, one a spatial axis. */
  kernelSize: readonly number[];
  /** Rings as circles that leave the corners out (default), or as squares that take all taps in. */
  circular?: boolean;
}

export interface RingConvTransposeOptions extends ConvTransposeOptions {
  kernelSize: readonly number[];
  circular?: boolean;
}

const ringOnly = { kernelSize: true, circular: true } as const;
const ringConvNames: OptionNames<RingConvOptions> = { ...convOptionNames, ...ringOnly };
const ringConvTransposeNames: OptionNames<RingConvTransposeOptions> = { ...convTransposeOptionNames, ...ringOnly };

// The limit of native/ops/ring_conv/ring_conv_binding.cc on sides and on rings.
const mostSide = 1023;

function ringKernel(op: string, x: Tensor, v: Tensor, options: RingConvOptions): RingKernel {
  expectTensor(op, 'x', x, { rank: [3, 5], dtype: activationDTypes });
  expectTensor(op, 'v', v, { rank: 3, device: x.device });
  const sides = perAxis(op, 'kernelSize', options.kernelSize, spatialRank(x), 1);
  if (sides.some((side) => side % 2 === 0)) {
    fail(op, 'kernelSize', 'be odd (an even side has no centre tap, so no ring is symmetric about it)', sides);
  }
  if (sides.some((side) => side > mostSide)) fail(op, 'kernelSize', `be at most ${mostSide}`, sides);
  expectFewTaps(op, 'kernelSize', sides);
  const rings = v.shape[2]!;
  if (rings < 1 || rings > mostSide) fail(op, 'v', `have 1 to ${mostSide} rings`, v.shape, 'invalid_shape');
  return { rings, firstSide: sides[0]!, circular: expectBoolean(op, 'circular', options.circular ?? true) };
}

function forward(x: Tensor, v: Tensor, options: RingConvOptions, norm: Normalisation | null) {
  expectOptions('ring_conv', options, ringConvNames);
  const rings = ringKernel('ring_conv', x, v, options);
  const bias = options.bias ?? null;
  if (bias !== null) expectTensor('ring_conv', 'bias', bias, { shape: [v.shape[0]!], device: x.device });
  const { geometry, shape } = convGeometry('ring_conv', x, { name: 'v', tensor: v }, options.kernelSize, options);
  const y = emptyLike(x, shape);
  run('ring_conv_forward', { ...geometry, ...rings, ...epilogue(norm), x, v, bias, y });
  return { y, bias, geometry, rings };
}

/**
 * GMR convolution by effective ring weights: the kernel has the value `v[o, c, l]` at each tap of ring `l` (arXiv 2504.02819). It is
 * computed as ring sums times `v`, R C/G multiply-adds an output instead of k^2 C/G.
 * @param x `[N, C, (D,) (H,) W]`, float32 or bfloat16.
 * @param v `[O, C/G, R]`, from `ringWeight`, or plain ring weights.
 * @returns `[N, O, ...]` of x's type, extents as of `conv`.
 */
export function ringConv(x: Tensor, v: Tensor, options: RingConvOptions): Tensor {
  const { y, bias, geometry, rings } = forward(x, v, options, null);
  return record('ring_conv', y, [x, v, bias], { x, v }, (dy, saved, needs) => {
    const dx = needs[0] ? emptyLike(saved.x) : null;
    if (dx !== null) run('ring_conv_backward_input', { ...geometry, ...rings, dy, v: saved.v, bias: null, dx });
    const dv = needs[1] ? emptyLike(saved.v) : null;
    if (dv !== null) run('ring_conv_backward_weight', { ...geometry, ...rings, x: saved.x, dy, dv });
    return [dx, dv, needs[2] ? biasGradient(dy) : null];
  });
}

/** @internal `ringConv` and, in the same pass, a normalisation. */
export function ringConvNormalised(x: Tensor, v: Tensor, options: RingConvOptions, norm: Normalisation): Tensor {
  return forward(x, v, options, norm).y;
}

/**
 * Transposed GMR convolution: the adjoint of `ringConv` in its input.
 * @param x `[N, C, (D,) (H,) W]`, float32 or bfloat16.
 * @param v `[C, O/G, R]`.
 * @returns `[N, O, ...]` of x's type, extents as of `convTranspose`.
 */
export function ringConvTranspose(x: Tensor, v: Tensor, options: RingConvTransposeOptions): Tensor {
  expectOptions('ring_conv_transpose', options, ringConvTransposeNames);
  const rings = ringKernel('ring_conv_transpose', x, v, options);
  const weight = { name: 'v', tensor: v };
  const { geometry, shape } = convTransposeGeometry('ring_conv_transpose', x, weight, options.kernelSize, options);
  const bias = options.bias ?? null;
  if (bias !== null) expectTensor('ring_conv_transpose', 'bias', bias, { shape: [geometry.c], device: x.device });
  const y = emptyLike(x, shape);
  run('ring_conv_backward_input', { ...geometry, ...rings, dy: x, v, bias, dx: y });
  return record('ring_conv', y, [x, v, bias], { x, v }, (dy, saved, needs) => {
    const dx = needs[0] ? emptyLike(saved.x) : null;
    if (dx !== null) {
      run('ring_conv_forward', { ...geometry, ...rings, ...epilogue(null), x: dy, v: saved.v, bias: null, y: dx });
    }
    const dv = needs[1] ? emptyLike(saved.v) : null;
    if (dv !== null) run('ring_conv_backward_weight', { ...geometry, ...rings, x: dy, dy: saved.x, dv });
    return [dx, dv, needs[2] ? biasGradient(dy) : null];
  });
}
