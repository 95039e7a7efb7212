import * as gmr from '../../../lib/index.js';
import { sizeOf, zeros, type NdArray } from '../ndarray.js';
import type { OpCase, OpSuite } from '../op_suite.js';

export interface ConvCaseOptions {
  stride?: number | number[];
  padding?: number | number[];
  dilation?: number | number[];
  groups?: number;
  /** For transposed cases. */
  transposed?: boolean;
  outputPadding?: number | number[];
}

function perAxis(value: number | number[] | undefined, rank: number, fallback: number): number[] {
  return Array.isArray(value) ? value : new Array<number>(rank).fill(value ?? fallback);
}

/** The index in a row-major array. */
function indexOf(shape: readonly number[], position: readonly number[]): number {
  return position.reduce((index, at, axis) => index * shape[axis]! + at, 0);
}

/** The position of a flat index. */
function positionOf(shape: readonly number[], index: number): number[] {
  const position = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; --axis) {
    position[axis] = index % shape[axis]!;
    index = Math.floor(index / shape[axis]!);
  }
  return position;
}

type Visit = (output: number, weight: number, input: number) => void;

/** Products of the last convolution, three indices each: gradient checks go through the same ones many times. */
let remembered = { key: '', indices: new Int32Array() };
const mostRemembered = 2 ** 23;

/**
 * Calls `visit` for every product of a convolution, y[out] += x[input] * w[weight], that goes to one of `elements`. The transposed convolution is the same list with the
 * parts of x and y exchanged.
 */
function products(
  x: readonly number[],
  w: readonly number[],
  y: readonly number[],
  options: ConvCaseOptions,
  visit: Visit,
  elements?: Iterable<number>,
): void {
  const most = sizeOf(y) * sizeOf(w.slice(1));
  if (elements !== undefined || most > mostRemembered) {
    workOut(x, w, y, options, visit, elements ?? Array(sizeOf(y)).keys());
    return;
  }
  const key = JSON.stringify([x, w, y, options]);
  if (remembered.key !== key) {
    const indices = new Int32Array(3 * most);
    let length = 0;
    const remember: Visit = (output, weight, input) => {
      indices[length++] = output;
      indices[length++] = weight;
      indices[length++] = input;
    };
    workOut(x, w, y, options, remember, Array(sizeOf(y)).keys());
    remembered = { key, indices: indices.subarray(0, length) };
  }
  const { indices } = remembered;
  for (let i = 0; i < indices.length; i += 3) visit(indices[i]!, indices[i + 1]!, indices[i + 2]!);
}

function workOut(
  x: readonly number[],
  w: readonly number[],
  y: readonly number[],
  options: ConvCaseOptions,
  visit: Visit,
  elements: Iterable<number>,
): void {
  const rank = x.length - 2;
  const [stride, padding, dilation] = [
    perAxis(options.stride, rank, 1),
    perAxis(options.padding, rank, 0),
    perAxis(options.dilation, rank, 1),
  ];
  const groups = options.groups ?? 1;
  const [outputs, inputs] = [w[0]! / groups, w[1]!];
  const extents = x.slice(2);
  const taps = Array.from({ length: sizeOf(w.slice(2)) }, (_, tap) => positionOf(w.slice(2), tap));
  for (const output of elements) {
    const [n, o, ...at] = positionOf(y, output) as [number, number, ...number[]];
    taps.forEach((offsets, tap) => {
      const from = offsets.map((offset, axis) => at[axis]! * stride[axis]! - padding[axis]! + offset * dilation[axis]!);
      if (from.some((q, axis) => q < 0 || q >= extents[axis]!)) return;
      const pixel = indexOf(extents, from);
      for (let c = 0; c < inputs; ++c) {
        const plane = n * x[1]! + Math.floor(o / outputs) * inputs + c;
        visit(output, (o * inputs + c) * taps.length + tap, plane * sizeOf(extents) + pixel);
      }
    });
  }
}

/**
 * Naive convolution, plain or transposed; `bias` may be absent.
 * @param elements Of a plain one, compute only these; default all.
 */
export function convReference(
  x: NdArray,
  w: NdArray,
  bias: NdArray | undefined,
  options: ConvCaseOptions,
  elements?: readonly number[],
): NdArray {
  const rank = x.shape.length - 2;
  const [stride, padding, dilation, extra] = [
    perAxis(options.stride, rank, 1),
    perAxis(options.padding, rank, 0),
    perAxis(options.dilation, rank, 1),
    perAxis(options.outputPadding, rank, 0),
  ];
  const groups = options.groups ?? 1;
  const reach = w.shape.slice(2).map((k, axis) => dilation[axis]! * (k - 1));
  const inside = x.shape.slice(2);
  const transposed = options.transposed === true;
  const outside = inside.map((extent, axis) =>
    transposed
      ? (extent - 1) * stride[axis]! - 2 * padding[axis]! + reach[axis]! + extra[axis]! + 1
      : Math.floor((extent + 2 * padding[axis]! - reach[axis]! - 1) / stride[axis]!) + 1,
  );
  const outputs = transposed ? w.shape[1]! * groups : w.shape[0]!;
  const y = zeros([x.shape[0]!, outputs, ...outside]);
  if (transposed) {
    products(y.shape, w.shape, x.shape, options, (from, weight, to) => {
      y.data[to]! += x.data[from]! * w.data[weight]!;
    });
  } else {
    const visit = (to: number, weight: number, from: number): void => {
      y.data[to]! += x.data[from]! * w.data[weight]!;
    };
    products(x.shape, w.shape, y.shape, options, visit, elements);
  }
  if (bias !== undefined) {
    const plane = outside.reduce((size, extent) => size * extent, 1);
    y.data.forEach((_, i) => {
      y.data[i]! += bias.data[Math.floor(i / plane) % outputs]!;
    });
  }
  return y;
}

interface Shapes {
  x: number[];
  w: number[];
  bias?: number[];
}

function convCase(name: string, inputs: Shapes, options: ConvCaseOptions = {}): OpCase<ConvCaseOptions> {
  return { name, inputs: { ...inputs }, options };
}

export const convSuite: OpSuite<ConvCaseOptions> = {
  op: 'conv',
  activations: ['x'],
  isProduct: true,
  cases: [
    convCase('1x1', { x: [2, 3, 5, 7], w: [4, 3, 1, 1], bias: [4] }),
    convCase('one element', { x: [1, 1, 1], w: [1, 1, 1] }),
    convCase('linear', { x: [19, 7, 1], w: [5, 7, 1], bias: [5] }),
    convCase('empty batch', { x: [0, 3, 5, 5], w: [2, 3, 3, 3], bias: [2] }, { padding: 1 }),
    convCase('1-D k=5', { x: [2, 3, 29], w: [7, 3, 5], bias: [7] }, { padding: 2 }),
    convCase('3x3 valid', { x: [2, 3, 6, 9], w: [5, 3, 3, 3] }),
    convCase('3x3 same, more outputs than a tile', { x: [1, 2, 7, 5], w: [19, 2, 3, 3], bias: [19] }, { padding: 1 }),
    convCase('even kernel', { x: [1, 2, 7, 6], w: [3, 2, 2, 4] }, { padding: [1, 2] }),
    convCase(
      'stride 2, dilation 3',
      { x: [2, 3, 15, 13], w: [4, 3, 3, 3], bias: [4] },
      { stride: [2, 3], dilation: [3, 2], padding: 3 },
    ),
    convCase('padding beyond the kernel', { x: [1, 2, 3, 4], w: [3, 2, 3, 1] }, { padding: [3, 2] }),
    convCase('stride 2', { x: [2, 3, 11, 14], w: [4, 3, 3, 3], bias: [4] }, { stride: 2, padding: 1 }),
    convCase('3x3 same, a tile and one pixel', { x: [1, 2, 11, 35], w: [3, 2, 3, 3] }, { padding: 1 }),
    ...[5, 7, 11, 31].map((k) =>
      convCase(`k=${k}`, { x: [1, 2, 9, 13], w: [2, 2, k, k] }, { padding: Math.floor(k / 2) }),
    ),
    convCase('groups', { x: [2, 6, 5, 5], w: [9, 2, 3, 3], bias: [9] }, { groups: 3, padding: 1 }),
    convCase('depthwise', { x: [1, 5, 9, 9], w: [5, 1, 7, 7] }, { groups: 5, padding: 3 }),
    convCase(
      'depthwise, even kernel, more rows than a thread',
      { x: [2, 3, 10, 35], w: [3, 1, 4, 2], bias: [3] },
      { groups: 3 },
    ),
    convCase(
      'depthwise, stride and dilation',
      { x: [1, 3, 14, 13], w: [3, 1, 3, 3] },
      { groups: 3, stride: 2, dilation: 2 },
    ),
    convCase('depthwise 2-D k=31', { x: [1, 2, 9, 37], w: [2, 1, 31, 31] }, { groups: 2, padding: 15 }),
    convCase('depthwise, small images', { x: [19, 2, 3, 5], w: [4, 1, 3, 3], bias: [4] }, { groups: 2, padding: 1 }),
    // One block a channel, however many tiles: see weight_gradient_blocks in native/cuda/product_tuning.h.
    convCase('depthwise, more channels than blocks share', { x: [1, 513, 1100], w: [513, 1, 3] }, { groups: 513 }),
    // Of whole rows (native/ops/conv/depthwise.cuh): tiles of a plane, of bands of one, and of several; the last not full.
    convCase('depthwise, 9x9', { x: [1, 3, 10, 32], w: [3, 1, 9, 9], bias: [3] }, { groups: 3, padding: 4 }),
    convCase('depthwise, bands of rows', { x: [1, 2, 100, 80], w: [2, 1, 5, 6] }, { groups: 2, padding: [2, 3] }),
    convCase('depthwise, bands of padding', { x: [1, 1, 3, 80], w: [1, 1, 3, 3] }, { padding: [50, 49] }),
    convCase('depthwise, wide rows', { x: [1, 1, 4, 1000], w: [2, 1, 3, 3], bias: [2] }, { padding: 1 }),
    convCase('depthwise, several planes', { x: [9, 115, 4, 16], w: [115, 1, 3, 5] }, { groups: 115, padding: [1, 2] }),
    convCase('depthwise, several odd planes', { x: [3, 1367, 5, 5], w: [1367, 1, 3, 3] }, { groups: 1367, padding: 1 }),
    convCase(
      'depthwise, planes wider than a block',
      { x: [1, 1024, 4, 45], w: [1024, 1, 3, 3] },
      { groups: 1024, padding: 1 },
    ),
    convCase(
      'depthwise, planes that grow wider',
      { x: [1, 1080, 2, 38], w: [1080, 1, 1, 4] },
      { groups: 1080, padding: [1, 5] },
    ),
    convCase('depthwise, no rows', { x: [1, 2, 0, 5], w: [2, 1, 3, 3] }, { groups: 2, padding: [3, 1] }),
    convCase('depthwise, few small planes', { x: [4, 900, 7, 7], w: [900, 1, 3, 3] }, { groups: 900, padding: 1 }),
    convCase(
      'depthwise, two outputs a channel, several tiles a block',
      { x: [3, 520, 4, 5], w: [1040, 1, 3, 3], bias: [1040] },
      { groups: 520, padding: 1 },
    ),
    convCase('depthwise 3-D', { x: [2, 2, 6, 5, 7], w: [2, 1, 5, 3, 5] }, { groups: 2, padding: [2, 1, 2] }),
    convCase('depthwise 3-D k=9', { x: [1, 2, 5, 6, 7], w: [2, 1, 9, 9, 9] }, { groups: 2, padding: 4 }),
    convCase(
      'depthwise, dilation beyond a window',
      { x: [1, 2, 6, 7], w: [2, 1, 3, 3] },
      { groups: 2, dilation: 99, padding: 99 },
    ),
    convCase('several chunks of channels', { x: [1, 41, 6, 6], w: [3, 41, 3, 3] }, { padding: 1 }),
    convCase('several tiles, wide rows', { x: [1, 1, 12, 131], w: [2, 1, 3, 3] }, { padding: 1 }),
    convCase('several tiles of images', { x: [23, 2, 9, 9], w: [2, 2, 3, 3] }, { padding: 1 }),
    convCase('3-D', { x: [2, 2, 4, 5, 6], w: [3, 2, 3, 1, 3], bias: [3] }, { padding: [1, 0, 2], stride: [1, 2, 1] }),
    // Enough channels and outputs for the tiles of matrix units, in all passes.
    convCase('many channels and outputs', { x: [2, 7, 9, 8], w: [11, 7, 3, 3], bias: [11] }, { padding: 1 }),
    // More operand rows than a block of the weight gradient has sums for, with the last block not full.
    convCase('many rows', { x: [2, 15, 5, 6], w: [10, 15, 3, 3] }, { padding: 1 }),
    convCase('many rows, few outputs', { x: [1, 15, 5, 6], w: [3, 15, 3, 3] }, { padding: 1 }),
    convCase('many rows, more than 64', { x: [1, 15, 5, 4], w: [70, 15, 3, 3] }, { padding: 1 }),
    // One tap at stride 1: planes that are copied 16, 8, 4 and, of bfloat16, 2 bytes at a time; several images under a
    // tile, and chunks of channels and tiles of outputs that are not full.
    convCase('1x1, planes of 64', { x: [3, 40, 4, 16], w: [70, 40, 1, 1], bias: [70] }),
    convCase('1x1, planes of 20', { x: [7, 19, 4, 5], w: [23, 19, 1, 1] }),
    convCase('1x1, planes of 18', { x: [8, 21, 3, 6], w: [33, 21, 1, 1], bias: [33] }),
    convCase('1x1, planes of 49', { x: [3, 22, 7, 7], w: [65, 22, 1, 1], bias: [65] }),
    convCase('1x1, many channels', { x: [1, 203, 4, 4], w: [17, 203, 1, 1] }),
    convCase('1x1, groups', { x: [2, 51, 5, 8], w: [60, 17, 1, 1], bias: [60] }, { groups: 3 }),
    convCase('1x1, 1-D', { x: [2, 18, 37], w: [20, 18, 1] }),
    convCase('1x1, stride 2, more than 64', { x: [2, 9, 5, 7], w: [70, 9, 1, 1] }, { stride: 2 }),
    convCase('1x1, 3-D', { x: [2, 17, 2, 3, 4], w: [18, 17, 1, 1, 1] }),
    convCase('many, 1x1', { x: [2, 33, 5, 7], w: [37, 33, 1, 1] }),
    convCase('many, linear', { x: [19, 40, 1], w: [13, 40, 1], bias: [13] }),
    convCase(
      'many, stride and dilation',
      { x: [2, 6, 11, 13], w: [7, 6, 3, 3] },
      { stride: [2, 1], dilation: [1, 2], padding: 2 },
    ),
    convCase('many, groups', { x: [1, 12, 6, 5], w: [14, 6, 3, 3], bias: [14] }, { groups: 2, padding: 1 }),
    convCase('many, 3-D', { x: [1, 5, 4, 5, 4], w: [6, 5, 3, 1, 3] }, { padding: [1, 0, 1] }),
    convCase('many, transposed, stride 2', { x: [1, 6, 4, 5], w: [6, 5, 2, 3] }, { transposed: true, stride: 2 }),
    convCase('many, more than 64', { x: [1, 5, 7, 5], w: [70, 5, 3, 3], bias: [70] }, { padding: 1 }),
    convCase('many, more than 128', { x: [1, 3, 5, 4], w: [133, 3, 3, 3] }, { padding: 1 }),
    // No windows, and more outputs than a narrow tile has.
    convCase('many, 1x1, more than 64', { x: [1, 9, 5, 7], w: [70, 9, 1, 1], bias: [70] }),
    // From windows: channels enough for them, and tiles of each size, which is chosen by the number of blocks.
    convCase('windows, few outputs', { x: [3, 17, 7, 7], w: [12, 17, 3, 3], bias: [12] }, { padding: 1 }),
    convCase('windows, more channels than a block', { x: [2, 40, 4, 13], w: [20, 40, 3, 5] }, { padding: [1, 2] }),
    convCase('windows, several boxes', { x: [2, 16, 11, 30], w: [20, 16, 3, 3] }, { padding: 1 }),
    convCase('windows, empty batch', { x: [0, 16, 7, 7], w: [20, 16, 3, 3] }, { padding: 1 }),
    convCase('windows, images side by side', { x: [5, 16, 7, 7], w: [20, 16, 3, 3] }, { padding: 1 }),
    convCase(
      'windows, many groups',
      { x: [1, 768, 2, 3], w: [1632, 8, 1, 2], bias: [1632] },
      { groups: 96, padding: [0, 1] },
    ),
    convCase('windows, wide tiles', { x: [1, 384, 1, 4], w: [6192, 8, 1, 2] }, { groups: 48 }),
    convCase('windows, kernel of many rows', { x: [1, 9, 12, 17], w: [6, 9, 31, 2] }, { padding: [15, 1] }),
    convCase('windows, kernel of many columns', { x: [1, 8, 5, 40], w: [18, 8, 2, 31] }, { padding: [1, 15] }),
    convCase('windows, k=31', { x: [1, 8, 5, 17], w: [6, 8, 31, 31] }, { padding: 15 }),
    convCase('windows, image smaller than the kernel', { x: [1, 8, 3, 4], w: [6, 8, 7, 9] }, { padding: [4, 6] }),
    convCase('windows, padding beyond the kernel', { x: [1, 8, 3, 4], w: [6, 8, 3, 3] }, { padding: [7, 9] }),
    convCase('windows, 1-D', { x: [2, 9, 131], w: [17, 9, 5] }, { padding: 2 }),
    convCase('windows, 3-D k=9', { x: [1, 8, 5, 4, 6], w: [6, 8, 9, 3, 9] }, { padding: [4, 1, 4] }),
    convCase('windows, 9x9x9', { x: [1, 8, 4, 5, 6], w: [6, 8, 9, 9, 9] }, { padding: 4 }),
    convCase(
      'windows, 3-D, several images and slices',
      { x: [3, 8, 2, 3, 5], w: [6, 8, 3, 3, 3] },
      { padding: 1, stride: [1, 2, 1] },
    ),
    convCase(
      'windows, stride and dilation',
      { x: [2, 8, 21, 23], w: [18, 8, 3, 5], bias: [18] },
      { stride: [2, 3], dilation: [2, 2], padding: [2, 4] },
    ),
    convCase(
      'windows, stride beyond the kernel',
      { x: [1, 8, 15, 31], w: [6, 8, 2, 3] },
      { stride: [4, 5], padding: 1 },
    ),
    convCase(
      'windows, dilation beyond a window',
      { x: [1, 8, 6, 40], w: [6, 8, 2, 3] },
      { dilation: [5, 999], padding: [3, 999] },
    ),
    convCase(
      'windows, transposed',
      { x: [1, 9, 6, 7], w: [9, 10, 3, 3], bias: [10] },
      { transposed: true, padding: 1 },
    ),
    convCase('transposed', { x: [2, 3, 4, 5], w: [3, 4, 3, 3], bias: [4] }, { transposed: true, padding: 1 }),
    convCase(
      'transposed, stride 2',
      { x: [1, 3, 4, 5], w: [3, 2, 2, 3], bias: [2] },
      { transposed: true, stride: 2, outputPadding: 1 },
    ),
    convCase(
      'transposed, groups, dilation',
      { x: [2, 4, 3, 4], w: [4, 3, 3, 3], bias: [6] },
      { transposed: true, groups: 2, dilation: 2, stride: [1, 3], padding: [1, 2], outputPadding: [1, 2] },
    ),
    convCase('transposed 3-D', { x: [1, 2, 3, 2, 4], w: [2, 3, 3, 3, 3] }, { transposed: true, stride: [1, 2, 1] }),
  ],
  run: ({ x, w, bias }, { transposed, ...options }) =>
    transposed === true
      ? gmr.ops.convTranspose(x!, w!, { ...options, bias })
      : gmr.ops.conv(x!, w!, { ...options, bias }),
  reference: ({ x, w, bias }, options, elements) => convReference(x!, w!, bias, options, elements),
};
