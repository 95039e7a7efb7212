import * as gmr from '../../../lib/index.js';
import { zeros } from '../ndarray.js';
import type { OpCase, OpSuite } from '../op_suite.js';

interface Options {
  op: 'sum' | 'mean';
  axes?: number[];
  keepDims?: boolean;
}

function testCase(name: string, x: number[], options: Options): OpCase<Options> {
  return { name, inputs: { x }, options };
}

export const reduceSuite: OpSuite<Options> = {
  op: 'reduce',
  activations: ['x'],
  cases: [
    testCase('one element', [1], { op: 'mean' }),
    testCase('a scalar', [], { op: 'sum' }),
    testCase('all', [3, 5, 7], { op: 'sum' }),
    testCase('all, mean, extents kept', [3, 5, 7], { op: 'mean', keepDims: true }),
    testCase('all, several tasks', [3, 16384 + 1], { op: 'mean' }),
    testCase('no axes', [3, 5], { op: 'sum', axes: [] }),
    testCase('all but the channels, as a bias gradient', [3, 5, 7, 11], { op: 'sum', axes: [0, 2, 3] }),
    testCase('all but the channels, several tasks', [5, 2, 16384 + 1], { op: 'sum', axes: [0, 2] }),
    testCase('pixels, negative axes', [3, 5, 7, 11], { op: 'mean', axes: [-1, -2] }),
    testCase('the first axis', [17, 13], { op: 'sum', axes: [0] }),
    testCase('the first axis, tile of columns + 1', [5, 129], { op: 'mean', axes: [0], keepDims: true }),
    testCase('the first axis, several pieces', [261, 129], { op: 'sum', axes: [0] }),
    testCase('the first axis, several pieces of whole packs', [261, 24], { op: 'sum', axes: [0] }),
    testCase('the last axis, many short rows', [2000, 17], { op: 'sum', axes: [1] }),
    testCase('a middle axis', [3, 5, 7], { op: 'mean', axes: [1] }),
    testCase('every second axis of five', [2, 3, 5, 3, 2], { op: 'mean', axes: [4, 0, 2], keepDims: true }),
    testCase('the others of five', [2, 3, 5, 3, 2], { op: 'sum', axes: [1, 3] }),
    testCase('axes of extent 1', [1, 7, 1], { op: 'mean', axes: [0, 2] }),
    testCase('the sum of nothing', [0, 3], { op: 'sum', axes: [0] }),
    testCase('nothing left', [0, 3], { op: 'mean', axes: [1] }),
  ],
  run: ({ x }, options) => gmr.ops.reduce(x!, options),
  reference: ({ x }, { op, axes, keepDims = false }) => {
    const { shape, data } = x!;
    const goes = shape.map(
      (_, axis) => axes === undefined || axes.includes(axis) || axes.includes(axis - shape.length),
    );
    const y = zeros(shape.map((extent, axis) => (goes[axis] ? 1 : extent)));
    const count = shape.reduce((product, extent, axis) => (goes[axis] ? product * extent : product), 1);
    data.forEach((value, i) => {
      let rest = i;
      let target = 0;
      let stride = 1;
      for (let axis = shape.length - 1; axis >= 0; --axis) {
        const index = rest % shape[axis]!;
        rest = Math.floor(rest / shape[axis]!);
        if (!goes[axis]) target += index * stride;
        stride *= y.shape[axis]!;
      }
      y.data[target]! += op === 'mean' ? value / count : value;
    });
    return { shape: keepDims ? y.shape : shape.filter((_, axis) => !goes[axis]), data: y.data };
  },
};
