import * as gmr from '../../../lib/index.js';
import { sizeOf, zeros } from '../ndarray.js';
import type { OpSuite } from '../op_suite.js';
import { indexIn, positionsOf, toThree, type Triple } from '../windows.js';

interface Options {
  degrees: number;
  plane?: [number, number];
  flip?: number | null;
}

const angles = [0, 30, -45, 90, 123.4, 180, 270, -90, 1e6];

export const rotateSuite: OpSuite<Options> = {
  op: 'rotate',
  activations: ['x'],
  cases: [
    { name: 'one element', inputs: { x: [1, 1, 1, 1] }, options: { degrees: 10 } },
    { name: 'empty batch', inputs: { x: [0, 2, 3, 3] }, options: { degrees: 10 } },
    { name: 'no columns', inputs: { x: [1, 2, 3, 0] }, options: { degrees: 90 } },
    { name: 'several tasks', inputs: { x: [9, 5, 28, 28] }, options: { degrees: 77 } },
    { name: 'mirrored columns', inputs: { x: [2, 3, 5, 7] }, options: { degrees: 33, flip: -1 } },
    { name: 'mirrored rows', inputs: { x: [2, 3, 7, 7] }, options: { degrees: 90, flip: 2 } },
    { name: 'a plane the other way round', inputs: { x: [2, 3, 5, 7] }, options: { degrees: 20, plane: [3, 2] } },
    { name: '3-D', inputs: { x: [2, 2, 3, 5, 5] }, options: { degrees: 90 } },
    { name: '3-D, depth and height', inputs: { x: [2, 2, 5, 4, 3] }, options: { degrees: 50, plane: [2, 3] } },
    { name: '3-D, depth and width', inputs: { x: [2, 2, 5, 2, 5] }, options: { degrees: 270, plane: [-3, -1] } },
    { name: '3-D, mirrored depth', inputs: { x: [2, 2, 3, 4, 5] }, options: { degrees: 15, flip: 2 } },
    { name: '3-D, mirrored height', inputs: { x: [1, 2, 3, 4, 5] }, options: { degrees: 15, plane: [2, 4], flip: 3 } },
    { name: '3-D, mirrored width', inputs: { x: [1, 2, 3, 4, 5] }, options: { degrees: 15, plane: [2, 3], flip: 4 } },
    { name: 'a half turn, wide packs', inputs: { x: [2, 2, 3, 16] }, options: { degrees: 180 } },
    { name: 'mirrored rows of 12', inputs: { x: [2, 2, 3, 12] }, options: { degrees: 0, flip: -1 } },
    { name: 'a quarter turn of several tiles', inputs: { x: [2, 2, 41, 41] }, options: { degrees: 90, flip: 2 } },
    ...angles.map((degrees) => ({ name: `${degrees}`, inputs: { x: [2, 1, 6, 6] }, options: { degrees } })),
    ...angles.map((degrees) => ({ name: `${degrees}, not square`, inputs: { x: [2, 1, 4, 7] }, options: { degrees } })),
  ],
  run: ({ x }, { degrees, ...options }) => gmr.ops.rotate(x!, degrees, options),
  reference: ({ x }, { degrees, plane = [-2, -1], flip = null }) => {
    const rank = x!.shape.length;
    const extent = toThree(x!.shape.slice(2), rank - 2, 1);
    const axisOf = (axis: number): number => (axis < 0 ? axis + rank : axis) + 3 - rank;
    const [down, right] = plane.map(axisOf) as [number, number];
    const radians = ((degrees % 360) * Math.PI) / 180;
    const centre = extent.map((n) => (n - 1) / 2);
    const y = zeros(x!.shape);
    const positions = positionsOf(extent);
    y.data.forEach((_, at) => {
      const position = positions[at % positions.length]!;
      const i = position[down]! - centre[down]!;
      const j = position[right]! - centre[right]!;
      const row = centre[down]! + i * Math.cos(radians) + j * Math.sin(radians);
      const column = centre[right]! + j * Math.cos(radians) - i * Math.sin(radians);
      for (const r of [Math.floor(row), Math.floor(row) + 1]) {
        for (const c of [Math.floor(column), Math.floor(column) + 1]) {
          const tap = [...position] as Triple;
          tap[down] = r;
          tap[right] = c;
          if (flip !== null) tap[axisOf(flip)] = extent[axisOf(flip)]! - 1 - tap[axisOf(flip)]!;
          const index = indexIn(extent, tap);
          if (index < 0) continue;
          const weight = (1 - Math.abs(row - r)) * (1 - Math.abs(column - c));
          y.data[at]! += weight * x!.data[Math.floor(at / positions.length) * sizeOf(extent) + index]!;
        }
      }
    });
    return y;
  },
};
