// What the suites of both convolutions share about inputs that no output sees.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from './devices.js';

interface Convolution {
  /** How many taps each of a channel's weights has; three in all. */
  taps: readonly number[];
  /** With three taps, in steps of two. */
  run: (x: gmr.Tensor, weights: gmr.Tensor, groups: number) => gmr.Tensor;
}

/** Declares tests that an infinite input leaves a convolution's values and weight gradient alone if no output sees it. */
export function describeUnseen(name: string, { taps, run }: Convolution): void {
  describe(`${name}: special values`, () => {
    for (const device of devices) {
      it(`what no output sees may be infinite (${nameOf(device)})`, async () => {
        // The last element is seen by none of the outputs, but by the one that would come next. A prime number of them is
        // no multiple of a tile.
        const outputs = 1031;
        const length = 2 * outputs + 2;
        for (const channels of [1, 8]) {
          const values = Float32Array.from({ length: channels * length }, (_, i) =>
            (i + 1) % length === 0 ? Infinity : 1,
          );
          for (const dtype of ['float32', 'bfloat16'] as const) {
            const x = gmr.tensor(values, [1, channels, length], { device, dtype });
            for (const groups of [1, channels]) {
              const inputs = channels / groups;
              const ones = new Float32Array(channels * inputs * taps.length).fill(1);
              const weights = gmr.tensor(ones, [channels, inputs, taps.length], { device, requiresGrad: true });
              const y = run(x, weights, groups);
              expect(new Set(await y.data())).to.deep.equal(new Set([3 * inputs]));
              y.backward(gmr.tensor(new Float32Array(channels * outputs).fill(1), y.shape, { device, dtype }));
              const gradients = Array.from({ length: channels * inputs }, () => taps.map((count) => count * outputs));
              expect([...(await weights.grad!.data())]).to.deep.equal(gradients.flat());
            }
          }
        }
      });
    }
  });
}
