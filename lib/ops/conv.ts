import { record } from '../autograd.js';
import { expectOptions } from '../errors.js';
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

function expectTensors(op: string, x: Tensor, w: Tensor): void {
  expectTensor(op, 'x', x, { rank: [3, 5], dtype: activationDTypes });
  expectTensor(op, 'w', w, { rank: x.shape.length, device: x.device });
}

function forward(x: Tensor, w: Tensor, options: ConvOptions, norm: Normalisation | null) {
  expectTensors('conv', x, w);
  expectOptions('conv', options, convOptionNames);
  const bias = options.bias ?? null;
  if (bias !== null) expectTensor('conv', 'bias', bias, { shape: [w.shape[0]!], device: x.device });
  const { geometry, shape } = convGeometry('conv', x, { name: 'w', tensor: w }, w.shape.slice(2), options);
  const y = emptyLike(x, shape);
  run('conv_forward', { ...geometry, ...epilogue(norm), x, w, bias, y });
  return { y, bias, geometry };
}

/**
 * Convolution (cross-correlation, as in PyTorch) over 1, 2 or 3 spatial axes.
 * @param x `[N, C, (D,) (H,) W]`, float32 or bfloat16.
 * @param w `[O, C/G, (kd,) (kh,) kw]`.
 * @returns `[N, O, ...]` of x's type, each extent `floor((in + 2 padding - dilation (k - 1) - 1) / stride) + 1`.
 */
export function conv(x: Tensor, w: Tensor, options: ConvOptions = {}): Tensor {
  const { y, bias, geometry } = forward(x, w, options, null);
  return record('conv', y, [x, w, bias], { x, w }, (dy, saved, needs) => {
    const dx = needs[0] ? emptyLike(saved.x) : null;
    if (dx !== null) run('conv_backward_input', { ...geometry, dy, w: saved.w, bias: null, dx });
    const dw = needs[1] ? emptyLike(saved.w) : null;
    if (dw !== null) run('conv_backward_weight', { ...geometry, x: saved.x, dy, dw });
    return [dx, dw, needs[2] ? biasGradient(dy) : null];
  });
}

/** @internal `conv` and, in the same pass, a normalisation. */
export function convNormalised(x: Tensor, w: Tensor, options: ConvOptions, norm: Normalisation): Tensor {
  return forward(x, w, options, norm).y;
}

/**
 * Transposed convolution: the adjoint of `conv` in its input.
 * @param x `[N, C, (D,) (H,) W]`, float32 or bfloat16.
 * @param w `[C, O/G, (kd,) (kh,) kw]`.
 * @returns `[N, O, ...]` of x's type, each extent `(in - 1) stride - 2 padding + dilation (k - 1) + outputPadding + 1`.
 */
export function convTranspose(x: Tensor, w: Tensor, options: ConvTransposeOptions = {}): Tensor {
  expectTensors('conv_transpose', x, w);
  expectOptions('conv_transpose', options, convTransposeOptionNames);
  const { geometry, shape } = convTransposeGeometry(
    'conv_transpose',
    x,
    { name: 'w', tensor: w },
    w.shape.slice(2),
    options,
  );
  const bias = options.bias ?? null;
  if (bias !== null) expectTensor('conv_transpose', 'bias', bias, { shape: [geometry.c], device: x.device });
  const y = emptyLike(x, shape);
  run('conv_backward_input', { ...geometry, dy: x, w, bias, dx: y });
  return record('conv', y, [x, w, bias], { x, w }, (dy, saved, needs) => {
    const dx = needs[0] ? emptyLike(saved.x) : null;
    if (dx !== null) run('conv_forward', { ...geometry, ...epilogue(null), x: dy, w: saved.w, bias: null, y: dx });
    const dw = needs[1] ? emptyLike(saved.w) : null;
    if (dw !== null) run('conv_backward_weight', { ...geometry, x: dy, dy: saved.x, dw });
    return [dx, dw, needs[2] ? biasGradient(dy) : null];
  });
}
