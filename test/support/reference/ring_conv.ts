import * as gmr from '../../../lib/index.js';
import type { OpCase, OpSuite } from '../op_suite.js';
import { convReference, type ConvCaseOptions } from './conv.js';
import { ringExpandSuite } from './ring_expand.js';

interface Options extends ConvCaseOptions {
  kernelSize: number[];
  circular?: boolean;
}

interface Shapes {
  x: number[];
  v: number[];
  bias?: number[];
}

function ringCase(
  name: string,
  inputs: Shapes,
  kernelSize: number[],
  options: ConvCaseOptions & { circular?: boolean } = {},
): OpCase<Options> {
  return { name, inputs: { ...inputs }, options: { kernelSize, ...options } };
}

/** A layer of few channels, with the default rings and "same" padding. */
function square(k: number, x: number[], outputs: number): OpCase<Options> {
  const rank = x.length - 2;
  const v = [outputs, x[1]!, (k + 1) / 2];
  return ringCase(`${rank}-D k=${k}, ${x.join('x')}`, { x, v }, new Array<number>(rank).fill(k), {
    padding: (k - 1) / 2,
  });
}

export const ringConvSuite: OpSuite<Options> = {
  op: 'ring_conv',
  activations: ['x'],
  isProduct: true,
  cases: [
    ringCase('one element', { x: [1, 1, 1], v: [1, 1, 1], bias: [1] }, [1]),
    ringCase('empty batch', { x: [0, 3, 5, 5], v: [2, 3, 2], bias: [2] }, [3, 3], { padding: 1 }),
    square(1, [2, 3, 4, 4], 3),
    square(3, [2, 3, 6, 7], 9),
    square(5, [2, 2, 7, 7], 5),
    square(7, [1, 2, 9, 14], 3),
    square(9, [1, 2, 13, 19], 3),
    square(11, [1, 1, 16, 17], 2),
    square(13, [1, 1, 9, 33], 2),
    ...[15, 17, 19, 21, 23, 25, 27, 29, 31].map((k) => square(k, [1, 1, 13, 11], 1)),
    square(31, [1, 1, 18, 20], 1),
    square(7, [2, 3, 37], 4),
    square(3, [1, 2, 5, 4, 6], 3),
    square(5, [1, 1, 6, 7, 5], 2),
    square(7, [1, 2, 5, 4, 6], 2),
    square(9, [1, 1, 5, 6, 7], 2),
    square(17, [1, 1, 3, 4, 4], 2),
    ringCase('valid', { x: [2, 2, 11, 12], v: [3, 2, 4], bias: [3] }, [7, 7]),
    ringCase('several deep tiles, k=9', { x: [1, 1, 24, 9, 16], v: [2, 1, 5] }, [9, 9, 9], { padding: 4 }),
    ringCase('several deep tiles, k=5', { x: [1, 2, 20, 14, 37], v: [2, 2, 3], bias: [2] }, [5, 5, 5], { padding: 2 }),
    ringCase('valid, 3-D', { x: [1, 2, 6, 7, 8], v: [2, 2, 3], bias: [2] }, [5, 5, 5]),
    ringCase('padding beyond the kernel, 3-D', { x: [1, 1, 2, 1, 3], v: [2, 1, 3] }, [5, 5, 5], { padding: [6, 2, 3] }),
    ringCase('stride 2', { x: [2, 2, 13, 16], v: [3, 2, 3], bias: [3] }, [5, 5], { stride: 2, padding: 2 }),
    ringCase('stride 2 and 3', { x: [2, 2, 13, 16], v: [3, 2, 5], bias: [3] }, [9, 9], { stride: [2, 3], padding: 4 }),
    ringCase('dilation', { x: [1, 2, 14, 13], v: [3, 2, 3] }, [5, 5], { dilation: [2, 3], padding: [4, 6] }),
    ringCase('stride and dilation, 1-D', { x: [2, 3, 41], v: [2, 3, 3] }, [5], { stride: 2, dilation: 3, padding: 6 }),
    ringCase('groups', { x: [2, 6, 7, 7], v: [4, 3, 3], bias: [4] }, [5, 5], { groups: 2, padding: 2 }),
    ringCase('depthwise', { x: [1, 5, 8, 8], v: [5, 1, 4] }, [7, 7], { groups: 5, padding: 3 }),
    // Without ring sums (native/ops/conv/depthwise.cuh).
    ringCase('depthwise, k=9', { x: [2, 3, 10, 32], v: [3, 1, 5], bias: [3] }, [9, 9], { groups: 3, padding: 4 }),
    ringCase('depthwise, k=31', { x: [1, 2, 9, 37], v: [2, 1, 16] }, [31, 31], { groups: 2, padding: 15 }),
    ringCase('depthwise, several planes', { x: [9, 115, 4, 16], v: [115, 1, 3] }, [3, 5], {
      groups: 115,
      padding: [1, 2],
    }),
    ringCase('depthwise, two outputs a channel', { x: [3, 5, 4, 6], v: [10, 1, 3] }, [5, 5], { groups: 5, padding: 2 }),
    ringCase('depthwise, more rings than taps', { x: [1, 3, 8, 8], v: [3, 1, 13] }, [3, 3], { groups: 3, padding: 1 }),
    ringCase('depthwise, square rings', { x: [1, 3, 8, 8], v: [3, 1, 4] }, [5, 5], {
      groups: 3,
      padding: 2,
      circular: false,
    }),
    ringCase('so many groups that blocks have several tiles', { x: [2, 280, 8, 8], v: [280, 2, 2] }, [3, 3], {
      groups: 140,
      padding: 1,
    }),
    ringCase('kernel 5x7', { x: [1, 2, 9, 8], v: [2, 2, 3] }, [5, 7], { padding: [2, 3] }),
    ringCase('kernel 1x9 over 3-D', { x: [1, 2, 3, 4, 10], v: [2, 2, 5] }, [1, 1, 9], { padding: [0, 0, 4] }),
    ringCase('standard 2-D kernel over 3-D', { x: [1, 2, 4, 6, 7], v: [2, 2, 3] }, [1, 5, 5], { padding: [0, 2, 2] }),
    ringCase('R = 1', { x: [1, 2, 7, 7], v: [2, 2, 1] }, [5, 5], { padding: 2 }),
    ringCase('empty rings', { x: [1, 2, 8, 8], v: [2, 2, 13] }, [5, 5], { padding: 2 }),
    ringCase('square rings', { x: [1, 2, 8, 8], v: [2, 2, 4] }, [5, 5], { padding: 2, circular: false }),
    ringCase('square rings, 3-D', { x: [1, 1, 5, 5, 5], v: [2, 1, 4] }, [5, 5, 5], { padding: 2, circular: false }),
    ringCase('padding beyond the kernel', { x: [1, 2, 4, 5], v: [2, 2, 2] }, [3, 3], { padding: [4, 3] }),
    ringCase('more outputs than a tile', { x: [1, 2, 7, 7], v: [29, 2, 3], bias: [29] }, [5, 5], { padding: 2 }),
    ringCase('several chunks of channels', { x: [1, 67, 5, 5], v: [2, 67, 3] }, [5, 5], { padding: 2 }),
    ringCase('several tiles, wide rows', { x: [1, 1, 10, 131], v: [2, 1, 3] }, [5, 5], { padding: 2 }),
    ringCase('taller than a tile, with a halo of more rows than a tile', { x: [1, 1, 1100, 9], v: [1, 1, 2] }, [3, 1], {
      dilation: [60, 1],
      padding: [60, 0],
    }),
    ringCase('several tiles of images', { x: [29, 2, 7, 7], v: [2, 2, 3] }, [5, 5], { padding: 2 }),
    ringCase('more rings than a chunk', { x: [1, 2, 7, 6], v: [3, 2, 33] }, [5, 5], { padding: 2 }),
    ringCase('more rings than a chunk, more outputs', { x: [1, 2, 5, 6], v: [6, 2, 33] }, [5, 5], { padding: 2 }),
    // Enough channels and outputs for the tiles of matrix units, in all passes.
    ringCase('many channels and outputs', { x: [2, 9, 9, 10], v: [11, 9, 3], bias: [11] }, [5, 5], { padding: 2 }),
    ringCase('many, k=9', { x: [1, 5, 13, 11], v: [6, 5, 5] }, [9, 9], { padding: 4 }),
    ringCase('many, stride 2 and 1', { x: [2, 6, 11, 9], v: [7, 6, 3] }, [5, 5], { stride: [2, 1], padding: 2 }),
    ringCase('many, groups', { x: [1, 12, 7, 7], v: [14, 6, 3], bias: [14] }, [5, 5], { groups: 2, padding: 2 }),
    ringCase('many, 3-D', { x: [1, 5, 4, 5, 4], v: [6, 5, 2] }, [3, 3, 3], { padding: 1 }),
    ringCase('many, more rings than a chunk', { x: [1, 6, 5, 6], v: [6, 6, 33] }, [5, 5], { padding: 2 }),
    ringCase('many, dilation beyond a window', { x: [1, 6, 6, 7], v: [7, 6, 3] }, [5, 5], {
      dilation: 50,
      padding: 100,
    }),
    ringCase('many, transposed, stride 2', { x: [1, 6, 5, 4], v: [6, 7, 3], bias: [7] }, [5, 5], {
      transposed: true,
      stride: 2,
      padding: 2,
    }),
    // Enough for the standard kernels of bfloat16, which copy rows of pieces of 8, 4, 2 and 1 elements, or whole planes.
    ringCase('standard, k=5', { x: [1, 20, 9, 16], v: [24, 20, 3], bias: [24] }, [5, 5], { padding: 2 }),
    ringCase('standard, k=9', { x: [1, 18, 10, 12], v: [20, 18, 5] }, [9, 9], { padding: 4 }),
    ringCase('standard, valid', { x: [2, 17, 11, 18], v: [18, 17, 3] }, [5, 5]),
    ringCase('standard, odd rows', { x: [1, 18, 12, 17], v: [17, 18, 3], bias: [17] }, [5, 5], { padding: [2, 3] }),
    ringCase('standard, planes', { x: [3, 32, 5, 7], v: [17, 32, 3], bias: [17] }, [5, 5], { padding: 2 }),
    ringCase('standard, empty batch', { x: [0, 40, 14, 14], v: [70, 40, 3], bias: [70] }, [5, 5], { padding: 2 }),
    ringCase('standard, planes, empty batch', { x: [0, 40, 7, 7], v: [70, 40, 3], bias: [70] }, [5, 5], { padding: 2 }),
    ringCase('standard, groups', { x: [1, 36, 6, 9], v: [40, 18, 3], bias: [40] }, [5, 5], { groups: 2, padding: 2 }),
    ringCase('standard, more than 64, k=5', { x: [191, 8, 1, 2], v: [70, 8, 3], bias: [70] }, [5, 5], { padding: 2 }),
    ringCase('standard, more than 64, k=9', { x: [96, 8, 2, 1], v: [67, 8, 5] }, [9, 9], { padding: 4 }),
    // More channels than a block of the weight gradient has sums for, with the last block not full.
    ringCase('standard, many channels', { x: [2, 70, 3, 4], v: [18, 70, 3] }, [5, 5], { padding: 2 }),
    ringCase('standard, many channels, k=9', { x: [1, 40, 3, 4], v: [17, 40, 5] }, [9, 9], { padding: 4 }),
    ringCase('standard, many channels and more than 64', { x: [1, 66, 2, 3], v: [66, 66, 3] }, [5, 5], { padding: 2 }),
    // Tiles of four strips of float32, of seven and of eight rows: in one row of strips, in two, in two images and beyond
    // the last; rows that are copied four, two and one at a time; chunks of channels that are not full.
    ringCase('strips, k=5, seven rows', { x: [3, 6, 7, 6], v: [5, 6, 3], bias: [5] }, [5, 5], { padding: 2 }),
    ringCase('strips, k=5, eight rows', { x: [1, 25, 8, 18], v: [9, 25, 3] }, [5, 5], { padding: 2 }),
    ringCase('strips, k=9, seven rows', { x: [1, 9, 14, 20], v: [7, 9, 5], bias: [7] }, [9, 9], { padding: 4 }),
    ringCase('strips, k=9, eight rows', { x: [2, 5, 8, 9], v: [6, 5, 5] }, [9, 9], { padding: 4 }),
    ringCase('strips, valid', { x: [1, 5, 15, 16], v: [5, 5, 5], bias: [5] }, [9, 9]),
    ringCase('strips, more padding', { x: [1, 6, 5, 8], v: [6, 6, 3] }, [5, 5], { padding: [3, 4] }),
    ringCase('strips, groups', { x: [1, 10, 7, 11], v: [12, 5, 5], bias: [12] }, [9, 9], { groups: 2, padding: 4 }),
    ringCase('strips, groups of more than 64', { x: [1, 10, 7, 5], v: [132, 5, 3] }, [5, 5], { groups: 2, padding: 2 }),
    ringCase('more than 16, dilation beyond a window', { x: [1, 2, 5, 5], v: [18, 2, 2] }, [3, 3], {
      dilation: 60,
      padding: 60,
    }),
    ringCase('many, more than 64', { x: [1, 5, 7, 7], v: [70, 5, 3], bias: [70] }, [5, 5], { padding: 2 }),
    ringCase('many, more than 128', { x: [1, 3, 5, 6], v: [133, 3, 2] }, [3, 3], { padding: 1 }),
    ringCase('many, more than 64, dilation beyond a window', { x: [1, 3, 5, 5], v: [66, 3, 2] }, [3, 3], {
      dilation: 60,
      padding: 60,
    }),
    ringCase('dilation beyond a window', { x: [1, 2, 6, 7], v: [3, 2, 3] }, [5, 5], { dilation: 50, padding: 100 }),
    ringCase('transposed', { x: [2, 3, 5, 6], v: [3, 4, 3], bias: [4] }, [5, 5], { transposed: true, padding: 2 }),
    ringCase('transposed, stride 2', { x: [1, 3, 5, 4], v: [3, 2, 3], bias: [2] }, [5, 5], {
      transposed: true,
      stride: 2,
      padding: 2,
      outputPadding: 1,
    }),
    ringCase('transposed, groups, dilation', { x: [1, 4, 4, 5], v: [4, 2, 2], bias: [4] }, [3, 3], {
      transposed: true,
      groups: 2,
      dilation: 2,
      stride: [1, 2],
      padding: 1,
    }),
    ringCase('transposed 3-D', { x: [1, 2, 3, 3, 2], v: [2, 2, 2] }, [3, 3, 3], {
      transposed: true,
      stride: [2, 1, 2],
      padding: 1,
    }),
    ringCase('transposed 3-D, k=5', { x: [1, 2, 3, 2, 3], v: [2, 2, 3] }, [5, 5, 5], {
      transposed: true,
      stride: [3, 2, 2],
      padding: 2,
    }),
  ],
  run: ({ x, v, bias }, { transposed, ...options }) =>
    transposed === true
      ? gmr.ops.ringConvTranspose(x!, v!, { ...options, bias })
      : gmr.ops.ringConv(x!, v!, { ...options, bias }),
  reference: ({ x, v, bias }, { kernelSize, circular, ...options }, elements) =>
    convReference(x!, ringExpandSuite.reference({ v: v! }, { kernelSize, circular }), bias, options, elements),
};
