// The symmetries of a square or cubic grid, on plain arrays: an axis permutation and then mirrors.
import { sizeOf, zeros, type NdArray } from './ndarray.js';

export interface GridSymmetry {
  /** Axis i of the result is axis `permutation[i]` of the source. */
  permutation: readonly number[];
  /** Whether axis i of the result runs backwards. */
  mirrored: readonly boolean[];
}

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));
}

/** All of them: 2 on a line, 8 on a square, 48 on a cube. */
export function gridSymmetries(spatialDims: number): GridSymmetry[] {
  return permutations(Array.from({ length: spatialDims }, (_, axis) => axis)).flatMap((permutation) =>
    Array.from({ length: 2 ** spatialDims }, (_, bits) => ({
      permutation,
      mirrored: permutation.map((__, axis) => ((bits >> axis) & 1) === 1),
    })),
  );
}

/** Applies a symmetry to the last axes of an array, one for each axis of the symmetry. */
export function applySymmetry(array: NdArray, { permutation, mirrored }: GridSymmetry): NdArray {
  const rank = permutation.length;
  const leading = array.shape.slice(0, -rank);
  const source = array.shape.slice(-rank);
  const extents = permutation.map((axis) => source[axis]!);
  const result = zeros([...leading, ...extents]);
  const plane = sizeOf(source);
  const strides = source.map((_, axis) => sizeOf(source.slice(axis + 1)));
  for (let i = 0; i < result.data.length; ++i) {
    let rest = i % plane;
    let from = i - rest;
    for (let axis = rank - 1; axis >= 0; --axis) {
      const position = rest % extents[axis]!;
      rest = (rest - position) / extents[axis]!;
      from += (mirrored[axis]! ? extents[axis]! - 1 - position : position) * strides[permutation[axis]!]!;
    }
    result.data[i] = array.data[from]!;
  }
  return result;
}
