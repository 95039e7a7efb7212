// Arguments that plain and ring convolutions share, checked and in the form that native code takes.
import type { ConvGeometry, ConvPass } from '../../binding.js';
import { expectInteger, fail, type OptionNames } from '../errors.js';
import { float32MatmulPrecisionIndex } from '../precision.js';
import { elementType, type Shape, type Tensor } from '../tensor.js';
import { reduce } from './reduce.js';
import { expectWindowFits, perAxis, spatialRank, toTriple, type Extents } from './spatial.js';

export interface ConvOptions {
  /** Steps between output positions. Default 1. */
  stride?: Extents;
  /** Zeros on both sides of each axis. Default 0. */
  padding?: Extents;
  /** Steps between taps. Default 1. */
  dilation?: Extents;
  /** Channel groups that do not see each other. Default 1. */
  groups?: number;
  /** Added to each output channel, `[O]`, float32. Default none. */
  bias?: Tensor | null;
}

export interface ConvTransposeOptions extends ConvOptions {
  /** Rows added behind each axis, to choose among the extents that a strided convolution maps to one. Default 0. */
  outputPadding?: Extents;
}

/** @internal */
export const convOptionNames: OptionNames<ConvOptions> = {
  stride: true,
  padding: true,
  dilation: true,
  groups: true,
  bias: true,
};

/** @internal */
export const convTransposeOptionNames: OptionNames<ConvTransposeOptions> = { ...convOptionNames, outputPadding: true };

interface Axes {
  kernel: number[];
  stride: number[];
  padding: number[];
  dilation: number[];
}

// The limit of native/ops/conv/conv_geometry_binding.cc.
const mostSteps = 2 ** 20;

function axes(op: string, x: Tensor, kernelSize: readonly number[], options: ConvOptions): Axes {
  const rank = spatialRank(x);
  return {
    kernel: perAxis(op, 'kernelSize', kernelSize, rank, 1, mostSteps),
    stride: perAxis(op, 'stride', options.stride ?? 1, rank, 1, mostSteps),
    padding: perAxis(op, 'padding', options.padding ?? 0, rank, 0, mostSteps),
    dilation: perAxis(op, 'dilation', options.dilation ?? 1, rank, 1, mostSteps),
  };
}

function triples(a: Axes): Pick<ConvGeometry, 'kernel' | 'stride' | 'dilation' | 'padding'> {
  return {
    kernel: toTriple(a.kernel, 1),
    stride: toTriple(a.stride, 1),
    dilation: toTriple(a.dilation, 1),
    padding: toTriple(a.padding, 0),
  };
}

function expectGroups(op: string, options: ConvOptions, c: number, o: number): number {
  const groups = expectInteger(op, 'groups', options.groups ?? 1, 1);
  if (c % groups !== 0 || o % groups !== 0)
    fail(op, 'groups', `divide the ${c} input and ${o} output channels`, groups);
  return groups;
}

/** @internal */
export interface Resolved {
  /** With x's type, and the precision that is set now, which holds for the gradients too. */
  geometry: ConvPass;
  /** Shape of the result. */
  shape: Shape;
}

/** @internal Geometry of a convolution of `x` `[N, C, ...]` with weights `[O, C/G, ...]`. */
export function convGeometry(
  op: string,
  x: Tensor,
  weight: { name: string; tensor: Tensor },
  kernelSize: readonly number[],
  options: ConvOptions,
): Resolved {
  const [n, c, ...inside] = x.shape as [number, number, ...number[]];
  const o = weight.tensor.shape[0]!;
  const groups = expectGroups(op, options, c, o);
  const channels = weight.tensor.shape[1]! * groups;
  if (c !== channels) fail(op, 'x', `have ${channels} channels (as ${weight.name} does)`, x.shape, 'invalid_shape');
  const a = axes(op, x, kernelSize, options);
  const room = expectWindowFits(op, x, a.kernel, a.padding, a.dilation);
  const outside = room.map((length, axis) => Math.floor(length / a.stride[axis]!) + 1);
  const numbers = { type: elementType(x.dtype), precision: float32MatmulPrecisionIndex() };
  return {
    geometry: { n, c, o, groups, in: toTriple(inside, 1), out: toTriple(outside, 1), ...triples(a), ...numbers },
    shape: [n, o, ...outside],
  };
}

/**
 * Geometry of the convolution whose adjoint maps `x` `[N, C, ...]` with weights `[C, O/G, ...]`: there `x` takes the place of the output,
 * so its `o` is C and its `in` is the result's extents.
 * @internal
 */
export function convTransposeGeometry(
  op: string,
  x: Tensor,
  weight: { name: string; tensor: Tensor },
  kernelSize: readonly number[],
  options: ConvTransposeOptions,
): Resolved {
  const [n, c, ...inside] = x.shape as [number, number, ...number[]];
  if (c !== weight.tensor.shape[0]) {
    fail(op, 'x', `have ${weight.tensor.shape[0]} channels (as ${weight.name} does)`, x.shape, 'invalid_shape');
  }
  const groups = expectInteger(op, 'groups', options.groups ?? 1, 1);
  const o = weight.tensor.shape[1]! * groups;
  expectGroups(op, options, c, o);
  const a = axes(op, x, kernelSize, options);
  const extra = perAxis(op, 'outputPadding', options.outputPadding ?? 0, spatialRank(x), 0);
  const outside = inside.map((extent, axis) => {
    if (extra[axis]! >= Math.max(a.stride[axis]!, a.dilation[axis]!)) {
      fail(op, 'outputPadding', 'be smaller than stride or dilation', extra);
    }
    const result =
      (extent - 1) * a.stride[axis]! -
      2 * a.padding[axis]! +
      a.dilation[axis]! * (a.kernel[axis]! - 1) +
      extra[axis]! +
      1;
    if (result < 0) fail(op, 'padding', `leave a result on spatial axis ${axis}`, a.padding, 'invalid_shape');
    return result;
  });
  const numbers = { type: elementType(x.dtype), precision: float32MatmulPrecisionIndex() };
  return {
    geometry: { n, c: o, o: c, groups, in: toTriple(outside, 1), out: toTriple(inside, 1), ...triples(a), ...numbers },
    shape: [n, o, ...outside],
  };
}

/**
 * Batch normalisation by running statistics, and a rectifier behind it, that a convolution does to what it stores; all `[O]`, float32, on
 * its device. Gradients are not recorded through it.
 * @internal
 */
export interface Normalisation {
  mean: Tensor;
  /** From `batchNormScale`. */
  scale: Tensor;
  /** Null is 0. */
  shift: Tensor | null;
  relu: boolean;
}

/** @internal As the passes take it. */
export function epilogue(norm: Normalisation | null): { normalises: false } | ({ normalises: true } & Normalisation) {
  return norm === null ? { normalises: false } : { normalises: true, ...norm };
}

/** @internal The sum of `[N, C, ...]` over all axes but the channels. */
export function biasGradient(dy: Tensor): Tensor {
  const axes = dy.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  return reduce(dy, { op: 'sum', axes, dtype: 'float32' });
}
