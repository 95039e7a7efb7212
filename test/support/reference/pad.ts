import * as gmr from '../../../lib/index.js';
import { sizeOf, zeros } from '../ndarray.js';
import type { OpSuite } from '../op_suite.js';
import { indexIn, positionsOf, toThree } from '../windows.js';

interface Options {
  padding: [number, number][];
  mode: gmr.ops.PadMode;
}

/** Where an index outside 0..extent-1 is read; -1 for a zero. */
function sourceOf(index: number, extent: number, mode: gmr.ops.PadMode): number {
  if (mode === 'zeros') return index < extent ? index : -1;
  if (mode === 'circular') return (index + extent) % extent;
  if (mode === 'replicate') return Math.min(Math.max(index, 0), extent - 1);
  const folded = Math.abs(index);
  return folded < extent ? folded : 2 * (extent - 1) - folded;
}

const modes = ['zeros', 'reflect', 'replicate', 'circular'] as const;

export const padSuite: OpSuite<Options> = {
  op: 'pad',
  activations: ['x'],
  cases: [
    { name: 'zeros about nothing', inputs: { x: [2, 1, 0] }, options: { padding: [[1, 2]], mode: 'zeros' } },
    { name: 'replicate one element far', inputs: { x: [1, 1, 1] }, options: { padding: [[3, 5]], mode: 'replicate' } },
    {
      name: 'circular by the whole extent',
      inputs: { x: [1, 2, 3] },
      options: { padding: [[3, 3]], mode: 'circular' },
    },
    { name: 'reflect by all but one', inputs: { x: [1, 2, 4] }, options: { padding: [[3, 3]], mode: 'reflect' } },
    ...modes.flatMap((mode) => [
      // A GPU's tile has several planes, or a band of one; rows that are too long for it, and of one axis, are its own.
      {
        name: `${mode}: thousands of small planes`,
        inputs: { x: [10, 211, 2, 3] },
        options: {
          padding: [
            [1, 0],
            [1, 2],
          ] as [number, number][],
          mode,
        },
      },
      {
        name: `${mode}: thousands of small slices`,
        inputs: { x: [7, 53, 3, 2, 3] },
        options: {
          padding: [
            [1, 2],
            [1, 1],
            [0, 1],
          ] as [number, number][],
          mode,
        },
      },
      {
        name: `${mode}: bands of a plane`,
        inputs: { x: [1, 1, 130, 67] },
        options: {
          padding: [
            [61, 3],
            [1, 4],
          ] as [number, number][],
          mode,
        },
      },
      {
        name: `${mode}: bands of slices`,
        inputs: { x: [1, 1, 2, 70, 65] },
        options: {
          padding: [
            [1, 1],
            [2, 3],
            [0, 1],
          ] as [number, number][],
          mode,
        },
      },
      {
        name: `${mode}: a long signal`,
        inputs: { x: [1, 2, 9001] },
        options: { padding: [[7, 4500]] as [number, number][], mode },
      },
      {
        name: `${mode}: long rows`,
        inputs: { x: [1, 1, 3, 4093] },
        options: {
          padding: [
            [1, 2],
            [2, 3],
          ] as [number, number][],
          mode,
        },
      },
      {
        name: `${mode}: nothing`,
        inputs: { x: [2, 1, 5] },
        options: { padding: [[0, 0]] as [number, number][], mode },
      },
      {
        name: `${mode}: empty batch`,
        inputs: { x: [0, 2, 3] },
        options: { padding: [[1, 1]] as [number, number][], mode },
      },
      { name: `${mode}: 1-D`, inputs: { x: [3, 2, 7] }, options: { padding: [[2, 3]] as [number, number][], mode } },
      {
        name: `${mode}: 2-D`,
        inputs: { x: [2, 3, 5, 8] },
        options: {
          padding: [
            [1, 4],
            [3, 0],
          ] as [number, number][],
          mode,
        },
      },
      {
        name: `${mode}: several tasks`,
        inputs: { x: [3, 8, 31, 29] },
        options: {
          padding: [
            [2, 2],
            [2, 2],
          ] as [number, number][],
          mode,
        },
      },
      {
        name: `${mode}: 3-D`,
        inputs: { x: [1, 2, 3, 4, 5] },
        options: {
          padding: [
            [2, 1],
            [0, 3],
            [2, 4],
          ] as [number, number][],
          mode,
        },
      },
    ]),
  ],
  run: ({ x }, { padding, mode }) => gmr.ops.pad(x!, padding, mode),
  reference: ({ x }, { padding, mode }) => {
    const rank = padding.length;
    const input = x!.shape.slice(2);
    const y = zeros([...x!.shape.slice(0, 2), ...input.map((extent, a) => padding[a]![0] + extent + padding[a]![1])]);
    const extent = toThree(input, rank, 1);
    const low = toThree(
      padding.map((pair) => pair[0]),
      rank,
      0,
    );
    const positions = positionsOf(toThree(y.shape.slice(2), rank, 1));
    y.data.forEach((_, i) => {
      const source = positions[i % positions.length]!.map((o, a) => sourceOf(o - low[a]!, extent[a]!, mode));
      const index = indexIn(extent, source);
      if (index >= 0) y.data[i] = x!.data[Math.floor(i / positions.length) * sizeOf(extent) + index]!;
    });
    return y;
  },
};
