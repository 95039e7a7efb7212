// What the windowed pooling ops share: the check of their arguments and the shape of their result.
import type { PoolGeometry } from '../../binding.js';
import { fail } from '../errors.js';
import { activationDTypes, elementCount, elementType, expectTensor, type Shape, type Tensor } from '../tensor.js';
import { expectWindowFits, perAxis, spatialRank, toTriple, type Extents } from './spatial.js';

export interface WindowOptions {
  /** Default: the window's size, so that windows do not overlap. */
  stride?: Extents;
  /** On both sides of each axis, at most half the window. Default 0. */
  padding?: Extents;
  dilation?: Extents;
}

/** The geometry for native code and the result's shape `[N, C, ...]`, or an error. */
export function poolWindows(
  op: string,
  x: Tensor,
  kernelSize: Extents,
  options: WindowOptions,
): { geometry: PoolGeometry; shape: Shape } {
  expectTensor(op, 'x', x, { rank: [3, 5], dtype: activationDTypes });
  const rank = spatialRank(x);
  const input = x.shape.slice(2);
  if (input.includes(0)) fail(op, 'x', 'have spatial extents >= 1', x.shape, 'invalid_shape');
  const kernel = perAxis(op, 'kernelSize', kernelSize, rank, 1);
  // The limit of native/ops/pool_geometry_binding.h.
  if (elementCount(kernel) > 2 ** 24) fail(op, 'kernelSize', 'span at most 2^24 elements', kernel);
  const stride = perAxis(op, 'stride', options.stride ?? kernel, rank, 1);
  const padding = perAxis(op, 'padding', options.padding ?? 0, rank, 0);
  const dilation = perAxis(op, 'dilation', options.dilation ?? 1, rank, 1);
  for (const [axis, side] of kernel.entries()) {
    const around = padding[axis]!;
    if (2 * around > side) {
      fail(op, 'padding', `be at most half of kernelSize, ${side} on spatial axis ${axis}`, around);
    }
  }
  const room = expectWindowFits(op, x, kernel, padding, dilation);
  const output = room.map((length, axis) => Math.floor(length / stride[axis]!) + 1);
  return {
    geometry: {
      type: elementType(x.dtype),
      planes: x.shape[0]! * x.shape[1]!,
      input: toTriple(input, 1),
      kernel: toTriple(kernel, 1),
      stride: toTriple(stride, 1),
      padding: toTriple(padding, 0),
      dilation: toTriple(dilation, 1),
    },
    shape: [x.shape[0]!, x.shape[1]!, ...output],
  };
}
