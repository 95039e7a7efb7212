import * as gmr from '../../../lib/index.js';
import { zeros } from '../ndarray.js';
import type { OpCase, OpSuite } from '../op_suite.js';

interface Options {
  kernelSize: readonly number[];
  circular?: boolean;
}

/** The ring of a tap at a squared distance, or -1. Comparisons are of whole numbers, so edges are exact. */
function ringOf(distance: number, kernelSize: readonly number[], rings: number, circular: boolean): number {
  const halves = kernelSize.map((side) => (side - 1) / 2);
  const farthest = halves.reduce((sum, half) => sum + half * half, 0);
  // Edge i, squared: circular (i k0 / (2 R))^2, square i^2 farthest / (R - 1)^2.
  const inside = (i: number): boolean =>
    circular ? 4 * rings ** 2 * distance < (i * kernelSize[0]!) ** 2 : (rings - 1) ** 2 * distance < i ** 2 * farthest;
  if (!circular && distance === farthest) return rings - 1;
  if (!circular && rings === 1) return 0;
  for (let i = 0; i < rings; ++i) if (inside(i + 1)) return i;
  return -1;
}

const small: OpCase<Options>[] = [
  { name: 'one tap', inputs: { v: [1, 1, 1] }, options: { kernelSize: [1] } },
  { name: 'no rows', inputs: { v: [3, 0, 2] }, options: { kernelSize: [3, 3] } },
  { name: 'rings that lie between taps', inputs: { v: [2, 3, 19] }, options: { kernelSize: [7, 7] } },
  { name: 'one ring', inputs: { v: [3, 2, 1] }, options: { kernelSize: [5, 5] } },
  { name: 'not square', inputs: { v: [3, 2, 3] }, options: { kernelSize: [5, 9] } },
  { name: 'not square, short first side', inputs: { v: [3, 2, 2] }, options: { kernelSize: [3, 1, 7] } },
  { name: 'several tasks', inputs: { v: [300, 3, 3] }, options: { kernelSize: [5, 5] } },
  { name: 'square rings', inputs: { v: [5, 3, 5] }, options: { kernelSize: [7, 7], circular: false } },
  { name: 'square rings, 3-D', inputs: { v: [2, 3, 4] }, options: { kernelSize: [5, 3, 5], circular: false } },
  { name: 'square rings, one tap', inputs: { v: [2, 3, 2] }, options: { kernelSize: [1, 1], circular: false } },
  { name: 'square rings, one ring', inputs: { v: [2, 3, 1] }, options: { kernelSize: [3, 3], circular: false } },
];

const sides = Array.from({ length: 16 }, (_, half) => 2 * half + 1);

export const ringExpandSuite: OpSuite<Options> = {
  op: 'ring_expand',
  cases: [
    ...small,
    ...sides.map((k) => ({ name: `1-D, k=${k}`, inputs: { v: [3, 2, (k + 1) / 2] }, options: { kernelSize: [k] } })),
    ...sides.map((k) => ({ name: `2-D, k=${k}`, inputs: { v: [2, 1, (k + 1) / 2] }, options: { kernelSize: [k, k] } })),
    ...[3, 5, 9].map((k) => ({
      name: `3-D, k=${k}`,
      inputs: { v: [2, 1, (k + 1) / 2] },
      options: { kernelSize: [k, k, k] },
    })),
  ],
  run: ({ v }, { kernelSize, circular }) => gmr.ops.ringExpand(v!, kernelSize, { circular }),
  reference: ({ v }, { kernelSize, circular = true }) => {
    const [outputs, inputs, rings] = v!.shape as [number, number, number];
    const y = zeros([outputs, inputs, ...kernelSize]);
    const taps = kernelSize.reduce((product, side) => product * side, 1);
    for (let i = 0; i < y.data.length; ++i) {
      let rest = i % taps;
      let distance = 0;
      for (const side of kernelSize.toReversed()) {
        distance += ((rest % side) - (side - 1) / 2) ** 2;
        rest = Math.floor(rest / side);
      }
      const ring = ringOf(distance, kernelSize, rings, circular);
      y.data[i] = ring < 0 ? 0 : v!.data[Math.floor(i / taps) * rings + ring]!;
    }
    return y;
  },
};
