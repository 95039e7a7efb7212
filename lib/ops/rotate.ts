import { record } from '../autograd.js';
import { expectArray, expectInteger, expectNumber, expectOptions, fail } from '../errors.js';
import { activationDTypes, elementType, emptyLike, expectTensor, run, type Tensor } from '../tensor.js';
import { toTriple } from './spatial.js';

export interface RotateOptions {
  /** The two spatial axes of the plane, the one that counts as down first; negative ones count from the end. Default [-2, -1]. */
  plane?: readonly [number, number];
  /** A spatial axis to mirror along before the turn, in the plane or not. Default null: none. */
  flip?: number | null;
}

/** An axis of `x` that is spatial, counted from the front. */
function spatialAxis(argument: string, value: unknown, rank: number): number {
  const axis = expectInteger('rotate', argument, value, -rank, rank - 1);
  const fromFront = axis < 0 ? axis + rank : axis;
  if (fromFront < 2) fail('rotate', argument, `be a spatial axis of a tensor of ${rank} axes`, value);
  return fromFront;
}

/** Exact at multiples of 90 degrees, which Math.cos is not. */
function cosineAndSine(degrees: number): [number, number] {
  const angle = degrees % 360;
  if (angle % 90 === 0) {
    const quarters = (angle / 90 + 4) % 4;
    return [[1, 0, -1, 0][quarters]!, [0, 1, 0, -1][quarters]!];
  }
  const radians = (angle * Math.PI) / 180;
  return [Math.cos(radians), Math.sin(radians)];
}

/**
 * Turns every image of a batch about its centre: bilinear, 0 outside, the same extents.
 *
 * Positive degrees turn counter-clockwise as seen in an image viewer, the plane's first axis down and its second to the right:
 * `[[1, 2], [3, 4]]` turned by 90 is `[[2, 4], [1, 3]]`, as numpy's rot90 has it. A plane given the other way round turns the
 * other way round. Half turns, and quarter turns of square planes, are permutations, to the bit, as is the mirror; other planes'
 * quarter turns are sampled like any angle.
 * @param x `[N, C, (D,) H, W]`, float32 or bfloat16, fewer than 2^31 - 1 elements a turned plane.
 * @param degrees Any finite number.
 * @returns The shape and type of `x`.
 */
export function rotate(x: Tensor, degrees: number, options: RotateOptions = {}): Tensor {
  expectTensor('rotate', 'x', x, { rank: [4, 5], dtype: activationDTypes });
  expectNumber('rotate', 'degrees', degrees);
  expectOptions('rotate', options, { plane: true, flip: true });
  const { plane = [-2, -1], flip = null } = options;
  const rank = x.shape.length;
  const [down, right] = expectArray('rotate', 'plane', plane, 'two spatial axes', 2).map((axis, i) =>
    spatialAxis(`plane[${i}]`, axis, rank),
  ) as [number, number];
  if (down === right) fail('rotate', 'plane', 'be two different axes', plane);
  if (x.shape[down]! * x.shape[right]! >= 2 ** 31 - 1) {
    fail('rotate', 'x', 'have fewer than 2^31 - 1 elements a turned plane', x.shape, 'invalid_shape');
  }
  const flipped = flip === null ? null : spatialAxis('flip', flip, rank);
  const [cosine, sine] = cosineAndSine(degrees);
  const geometry = {
    type: elementType(x.dtype),
    planes: x.shape[0]! * x.shape[1]!,
    extent: toTriple(x.shape.slice(2), 1),
    rowAxis: Math.min(down, right) + 3 - rank,
    columnAxis: Math.max(down, right) + 3 - rank,
    flipAxis: flipped === null ? -1 : flipped + 3 - rank,
    cosine,
    sine: down < right ? sine : -sine,
  };
  const y = emptyLike(x);
  run('rotate_forward', { x, y, ...geometry });
  return record('rotate', y, [x], {}, (dy) => {
    const dx = emptyLike(dy);
    run('rotate_backward_input', { dy, dx, ...geometry });
    return [dx];
  });
}
