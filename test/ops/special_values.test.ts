// NaN and infinities through gradients, and through products, as in PyTorch, whose numbers stand here (1.13; its float32
// CPU kernels). What comes out of each op's forward pass alone is in its own test.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';

const { ops } = gmr;
const inf = Infinity;

interface Row {
  inputs: any[];
  run: (...inputs: gmr.Tensor[]) => gmr.Tensor;
  /** The gradient that arrives; ones if it is left out. */
  dy?: number[];
  y: number[];
  /** Of each input; undefined where it is not looked at. */
  gradients: (number[] | undefined)[];
}

const plain: Record<string, Row> = {
  'relu: nothing passes where it is off, not even what is not finite; NaN lets all pass': {
    inputs: [[NaN, -inf, inf, -1, 1, 1, -1]],
    run: (x) => ops.activation(x),
    dy: [1, 1, 1, NaN, NaN, inf, inf],
    y: [NaN, 0, inf, 0, 1, 1, 0],
    gradients: [[1, 0, 1, 0, NaN, inf, 0]],
  },
  'leaky relu': {
    inputs: [[NaN, -inf, inf, -1, 1]],
    run: (x) => ops.activation(x, 0.5),
    dy: [1, 1, 1, NaN, inf],
    y: [NaN, -inf, inf, -0.5, 1],
    gradients: [[0.5, 0.5, 1, NaN, inf]],
  },
  add: {
    inputs: [
      [NaN, inf, inf, 1],
      [1, -inf, 1, 1],
    ],
    run: (a, b) => ops.add(a, b),
    dy: [1, 1, NaN, inf],
    y: [NaN, NaN, inf, 2],
    gradients: [
      [1, 1, NaN, inf],
      [1, 1, NaN, inf],
    ],
  },
  'average pooling': {
    inputs: [[[[1, 2, 3, 4]]]],
    run: (x) => ops.avgPool(x, 2),
    dy: [NaN, inf],
    y: [1.5, 3.5],
    gradients: [[NaN, NaN, inf, inf]],
  },
  'max pooling: only what was taken': {
    inputs: [[[[1, NaN, 3, 4, inf, inf]]]],
    run: (x) => ops.maxPool(x, 2),
    dy: [1, NaN, inf],
    y: [NaN, 4, inf],
    gradients: [[0, 1, 0, NaN, inf, 0]],
  },
  'global average pooling': {
    inputs: [
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
    ],
    run: (x) => ops.globalAvgPool(x.reshape(1, 2, 2)),
    dy: [NaN, inf],
    y: [1.5, 3.5],
    gradients: [[NaN, NaN, inf, inf]],
  },
  'padding with zeros: what arrives there is dropped': {
    inputs: [[[[1, 2, 3]]]],
    run: (x) => ops.pad(x, [[1, 1]], 'zeros'),
    dy: [NaN, 1, inf, 1, NaN],
    y: [0, 1, 2, 3, 0],
    gradients: [[1, inf, 1]],
  },
  'padding by reflection': {
    inputs: [[[[1, 2, 3]]]],
    run: (x) => ops.pad(x, [[1, 1]], 'reflect'),
    dy: [NaN, 1, 1, 1, inf],
    y: [2, 1, 2, 3, 2],
    gradients: [[1, NaN, 1]],
  },
  'rotation: what arrives at the centre reaches no pixel beside it': {
    inputs: [
      [
        [
          [
            [0, 0, 0],
            [0, 0, 0],
            [0, 0, 0],
          ],
        ],
      ],
    ],
    run: (x) => ops.rotate(x, 45),
    dy: [0, 0, 0, 0, inf, 0, 0, 0, 0],
    y: [0, 0, 0, 0, 0, 0, 0, 0, 0],
    gradients: [[0, 0, 0, 0, inf, 0, 0, 0, 0]],
  },
  sum: {
    inputs: [
      [
        [1, 2],
        [3, 4],
      ],
    ],
    run: (x) => ops.reduce(x, { op: 'sum', axes: [1] }),
    dy: [NaN, inf],
    y: [3, 7],
    gradients: [[NaN, NaN, inf, inf]],
  },
  'convolution: NaN reaches what sees it, weights where they meet it': {
    inputs: [[[[1, 2, NaN, 4, 5, 6]]], [[[1, 1, 1]]]],
    run: (x, w) => ops.conv(x, w, { padding: 1 }),
    y: [3, NaN, NaN, NaN, 15, 11],
    gradients: [
      [2, 3, 3, 3, 3, 2],
      [NaN, NaN, NaN],
    ],
  },
  'convolution: infinity times weights, one of them 0': {
    inputs: [[[[1, 2, inf, 4, 5, 6]]], [[[1, 0, -1]]]],
    run: (x, w) => ops.conv(x, w, { padding: 1 }),
    y: [-2, -inf, NaN, inf, -2, 5],
    gradients: [
      [1, 0, 0, 0, 0, -1],
      [inf, inf, inf],
    ],
  },
  'convolution of two rows: a pixel reaches no other than two': {
    inputs: [[[[[inf], [2], [3], [4], [5], [6]]]], [[[[1], [1]]]]],
    run: (x, w) => ops.conv(x, w),
    y: [inf, 5, 7, 9, 11],
    gradients: [
      [1, 2, 2, 2, 2, 1],
      [inf, 20],
    ],
  },
  'convolution: an infinite weight, also times the zeros around': {
    inputs: [[[[1, 2, 0, 4, -5, 6]]], [[[inf, 1, 1]]]],
    run: (x, w) => ops.conv(x, w, { padding: 1 }),
    y: [NaN, inf, inf, NaN, inf, -inf],
    // The last element of x is seen by no product with it, yet here the gradient multiplies the zeros around dy too.
    gradients: [undefined, [2, 8, 7]],
  },
  'convolution: what arrives': {
    inputs: [[[[1, 2, 3, 4, 5, 6]]], [[[1, 0, 2]]]],
    run: (x, w) => ops.conv(x, w, { padding: 1 }),
    dy: [1, 1, NaN, 1, 1, inf],
    y: [4, 7, 10, 13, 16, 5],
    gradients: [
      [1, NaN, NaN, NaN, inf, NaN],
      [NaN, NaN, NaN],
    ],
  },
  '1x1 convolution: one pixel does not reach another': {
    inputs: [
      [
        [
          [1, NaN],
          [inf, 2],
        ],
      ],
      [[[1], [2]]],
    ],
    run: (x, w) => ops.conv(x, w),
    y: [inf, NaN],
    gradients: [
      [1, 1, 2, 2],
      [NaN, inf],
    ],
  },
  'batch norm: a channel of its own': {
    inputs: [
      [
        [NaN, inf, 1],
        [1, 1, 2],
        [2, 2, 3],
      ],
      [1, 1, 1],
      [0, 0, 0],
    ],
    run: (x, weight, bias) => ops.batchNorm(x, weight, bias, null, { training: true }),
    y: [NaN, NaN, -1.2247356, NaN, NaN, 0, NaN, NaN, 1.2247356],
    gradients: [
      [NaN, NaN, 0, NaN, NaN, 0, NaN, NaN, 0],
      [NaN, NaN, 0],
      [3, 3, 3],
    ],
  },
  'batch norm: what arrives': {
    inputs: [
      [
        [1, 3, 1],
        [2, 1, 2],
        [4, 2, 3],
      ],
      [1, 1, 1],
      [0, 0, 0],
    ],
    run: (x, weight, bias) => ops.batchNorm(x, weight, bias, null, { training: true }),
    dy: [NaN, 1, 1, 1, inf, 1, 1, 1, 2],
    y: [-1.0690415, 1.2247356, -1.2247356, -0.2672603, -1.2247356, 0, 1.336302, 0, 1.2247356],
    gradients: [
      [NaN, NaN, 0.2041133, NaN, NaN, -0.4082453, NaN, NaN, 0.2041318],
      [NaN, -inf, 1.2247356],
      [NaN, inf, 4],
    ],
  },
  'batch norm, rectified: what arrives where it is off is dropped': {
    inputs: [
      [
        [1, 3],
        [2, 1],
        [4, 2],
      ],
      [1, 1],
      [0, 0],
    ],
    run: (x, weight, bias) => ops.batchNorm(x, weight, bias, null, { training: true, relu: true }),
    dy: [NaN, 1, 1, inf, 1, 1],
    y: [0, 1.2247356, 0, 0, 1.336302, 0],
    gradients: [
      [0.1145378, 0.2041318, -0.1718109, 0.2041133, 0.057273, -0.4082452],
      [1.336302, 1.2247356],
      [1, 1],
    ],
  },
  'batch norm outside training': {
    inputs: [
      [
        [1, 3, 1],
        [inf, 1, 2],
      ],
      [1, 1, 1],
      [0, 0, 0],
    ],
    run: (x, weight, bias) => {
      const { device } = x;
      const running = {
        mean: gmr.tensor([0, NaN, 0], undefined, { device }),
        variance: gmr.tensor([1, 1, inf], undefined, { device }),
      };
      return ops.batchNorm(x, weight, bias, running, { training: false, eps: 0 });
    },
    y: [1, NaN, 0, inf, NaN, 0],
    gradients: [
      [1, 1, 0, 1, 1, 0],
      [inf, NaN, 0],
      [2, 2, 2],
    ],
  },
  ...Object.fromEntries(
    (
      [
        ['a class that is impossible, another asked for', [-inf, 0], 1, 0, 0, [0, 0]],
        ['a class that is impossible, itself asked for', [-inf, 0], 0, 0, inf, [-1, 1]],
        ['a class that is impossible, smoothed', [-inf, 0], 1, 0.5, inf, [-0.25, 0.25]],
        ['a class that is certain', [inf, 0], 0, 0, NaN, [NaN, NaN]],
        ['no class that is possible', [-inf, -inf], 1, 0, NaN, [NaN, NaN]],
        ['NaN', [NaN, 0], 1, 0, NaN, [NaN, NaN]],
        ['numbers near the largest', [1e38, -1e38], 1, 0, 2e38, [1, -1]],
      ] as const
    ).map(([what, logits, target, labelSmoothing, loss, gradient]): [string, Row] => [
      `cross entropy: ${what}`,
      {
        inputs: [[logits]],
        run: (z) => {
          const targets = gmr.tensor(Int32Array.of(target), undefined, { device: z.device });
          return ops.crossEntropy(z, targets, { labelSmoothing });
        },
        y: [loss],
        gradients: [[...gradient]],
      },
    ]),
  ),
};

/** Ring sums are differences of sums over discs: beside an infinity they may be NaN where a dense kernel has infinity. */
const rings: Record<string, Row> = {
  'NaN reaches what sees it': {
    inputs: [[[[1, 2, NaN, 4, 5, 6, 7]]], [[[2, 3]]]],
    run: (x, v) => ops.ringConv(x, v, { kernelSize: [3], padding: 1 }),
    y: [8, NaN, NaN, NaN, 40, 48, 32],
    gradients: [
      [5, 8, 8, 8, 8, 8, 5],
      [NaN, NaN],
    ],
  },
  'infinity reaches what sees it, and nothing else': {
    inputs: [[[[1, 2, inf, 4, 5, 6, 7]]], [[[2, 3]]]],
    run: (x, v) => ops.ringConv(x, v, { kernelSize: [3], padding: 1 }),
    y: [8, inf, inf, inf, 40, 48, 32],
    gradients: [
      [5, 8, 8, 8, 8, 8, 5],
      [inf, inf],
    ],
  },
  'an infinite ring weight': {
    inputs: [[[[1, 2, 3, 4, 5, 6, 7]]], [[[inf, 3]]]],
    run: (x, v) => ops.ringConv(x, v, { kernelSize: [3], padding: 1 }),
    y: [inf, inf, inf, inf, inf, inf, inf],
    gradients: [undefined, [28, 48]],
  },
};

function expectSame(actual: Iterable<number>, expected: readonly number[], isRing: boolean, what: string): void {
  // Numbers are here with seven digits.
  const shown = [...actual].map((value, i) => {
    const wanted = expected[i]!;
    const isNear = Math.abs(value - wanted) <= 2e-6 * Math.max(1, Math.abs(wanted));
    return isNear || (isRing && Number.isNaN(value) && Math.abs(wanted) === inf) ? wanted : value;
  });
  expect(shown, what).to.deep.equal(expected);
}

for (const [group, rows] of Object.entries({ 'special values': plain, 'special values: ring convolution': rings })) {
  describe(group, () => {
    for (const [name, { inputs, run, dy, y, gradients }] of Object.entries(rows)) {
      for (const device of devices) {
        it(`${name} (${nameOf(device)})`, async () => {
          const tensors = inputs.map((input) => gmr.tensor(input, undefined, { device, requiresGrad: true }));
          const result = run(...tensors);
          const upstream = Float32Array.from(dy ?? y.map(() => 1));
          expectSame(await result.data(), y, rows === rings, 'values');
          result.backward(gmr.tensor(upstream, result.shape, { device }));
          for (const [i, gradient] of gradients.entries()) {
            if (gradient === undefined) continue;
            const values = await tensors[i]!.grad!.data();
            expectSame(values, gradient, rows === rings, `gradient ${i}`);
          }
        });
      }
    }
  });
}
