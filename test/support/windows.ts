// What the oracles of spatial ops share: every tensor [N, C, ...] as planes of depth x height x width.
import { sizeOf } from './ndarray.js';

export type Triple = [number, number, number];

/** One value for each of three axes: a number for all that are there, or a list of them; axes that are not there get `fill`. */
export function toThree(values: number | readonly number[], rank: number, fill: number): Triple {
  const list = typeof values === 'number' ? Array.from({ length: rank }, () => values) : values;
  return [...Array.from({ length: 3 - rank }, () => fill), ...list] as Triple;
}

/** Every position of a box, row-major. */
export function positionsOf(extent: readonly number[]): Triple[] {
  const positions: Triple[] = [];
  const [depth, height, width] = extent as Triple;
  for (let z = 0; z < depth; ++z) {
    for (let y = 0; y < height; ++y) for (let x = 0; x < width; ++x) positions.push([z, y, x]);
  }
  return positions;
}

/** The flat index of a position, or -1 outside the box. */
export function indexIn(extent: readonly number[], position: readonly number[]): number {
  if (position.some((p, axis) => p < 0 || p >= extent[axis]!)) return -1;
  return (position[0]! * extent[1]! + position[1]!) * extent[2]! + position[2]!;
}

export interface Windows {
  kernelSize: number | readonly number[];
  stride?: number | readonly number[];
  padding?: number | readonly number[];
  dilation?: number | readonly number[];
}

/** The result's shape and, for each of its elements, the indices into the input of the window's elements inside it, in order. */
export function windowsOf(shape: readonly number[], options: Windows): { shape: number[]; windows: number[][] } {
  const rank = shape.length - 2;
  const extent = toThree(shape.slice(2), rank, 1);
  const kernel = toThree(options.kernelSize, rank, 1);
  const stride = toThree(options.stride ?? options.kernelSize, rank, 1);
  const padding = toThree(options.padding ?? 0, rank, 0);
  const dilation = toThree(options.dilation ?? 1, rank, 1);
  const output = extent.map(
    (n, a) => Math.floor((n + 2 * padding[a]! - dilation[a]! * (kernel[a]! - 1) - 1) / stride[a]!) + 1,
  );
  const windows: number[][] = [];
  for (let plane = 0; plane < shape[0]! * shape[1]!; ++plane) {
    for (const o of positionsOf(output)) {
      const inside = positionsOf(kernel)
        .map((t) =>
          indexIn(
            extent,
            t.map((tap, a) => o[a]! * stride[a]! - padding[a]! + tap * dilation[a]!),
          ),
        )
        .filter((index) => index >= 0);
      windows.push(inside.map((index) => plane * sizeOf(extent) + index));
    }
  }
  return { shape: [shape[0]!, shape[1]!, ...output.slice(3 - rank)], windows };
}
