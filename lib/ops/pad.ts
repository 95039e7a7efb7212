import { record } from '../autograd.js';
import { expectArray, expectInteger, fail } from '../errors.js';
import { activationDTypes, elementType, emptyLike, expectTensor, run, type Tensor } from '../tensor.js';
import { spatialRank, toTriple } from './spatial.js';

// In the order of native/ops/pad/pad.h.
const modes = ['zeros', 'reflect', 'replicate', 'circular'] as const;

export type PadMode = (typeof modes)[number];

/** The most padding that a mode allows on an axis, and how an error says it; undefined where there is no limit. */
function limitOf(mode: PadMode, extent: number): [number, string] | undefined {
  if (mode === 'reflect') return [Math.max(extent - 1, 0), 'be less than the extent'];
  if (mode === 'circular') return [extent, 'be at most the extent'];
  return mode === 'replicate' && extent === 0 ? [0, 'be 0 where there is nothing to repeat, with extent'] : undefined;
}

/**
 * Pads the spatial axes, as PyTorch's pad with the same mode ('zeros' is its 'constant').
 * @param x `[N, C, (D,) (H,) W]`, float32 or bfloat16.
 * @param padding `[low, high]` for each spatial axis, in the order of the axes, >= 0.
 * @param mode `'reflect'` mirrors about the border element without repeating it and needs padding < extent; `'replicate'` repeats the
 *   border element; `'circular'` goes on from the other side and needs padding <= extent.
 * @returns `[N, C, ...]` with extents `low + extent + high`.
 */
export function pad(x: Tensor, padding: readonly (readonly [number, number])[], mode: PadMode): Tensor {
  expectTensor('pad', 'x', x, { rank: [3, 5], dtype: activationDTypes });
  const rank = spatialRank(x);
  const input = x.shape.slice(2);
  if (!modes.includes(mode)) fail('pad', 'mode', `be one of ${modes.join(', ')}`, mode);
  const pairs = expectArray('pad', 'padding', padding, `an array of ${rank} pairs [low, high]`, rank);
  const sides = pairs.map((pair, axis) => {
    const limit = limitOf(mode, input[axis]!);
    return expectArray('pad', `padding[${axis}]`, pair, 'a pair [low, high]', 2).map((value, end) => {
      const argument = `padding[${axis}][${end}]`;
      const side = expectInteger('pad', argument, value, 0);
      if (limit !== undefined && side > limit[0]) {
        fail('pad', argument, `${limit[1]} ${input[axis]} for mode ${mode}`, side);
      }
      return side;
    });
  });
  const low = sides.map((pair) => pair[0]!);
  const high = sides.map((pair) => pair[1]!);
  const inputShape = x.shape;
  const geometry = {
    type: elementType(x.dtype),
    planes: inputShape[0]! * inputShape[1]!,
    input: toTriple(input, 1),
    low: toTriple(low, 0),
    high: toTriple(high, 0),
    mode: modes.indexOf(mode),
  };
  const y = emptyLike(x, [
    ...inputShape.slice(0, 2),
    ...input.map((extent, axis) => low[axis]! + extent + high[axis]!),
  ]);
  run('pad_forward', { x, y, ...geometry });
  return record('pad', y, [x], {}, (dy) => {
    const dx = emptyLike(dy, inputShape);
    run('pad_backward_input', { dy, dx, ...geometry });
    return [dx];
  });
}
