// Random shapes and options for every op, small enough for the oracles, valid by construction.
import type { OpStem } from '../../binding.js';
import { normal, sizeOf, toBfloat16, zeros } from '../support/ndarray.js';
import { caseInputs, type OpCase, type OpSuite } from '../support/op_suite.js';
import { activationSuite } from '../support/reference/activation.js';
import { addSuite } from '../support/reference/add.js';
import { avgPoolSuite } from '../support/reference/avg_pool.js';
import { batchNormSuite } from '../support/reference/batch_norm.js';
import { convSuite } from '../support/reference/conv.js';
import { crossEntropySuite } from '../support/reference/cross_entropy.js';
import { globalAvgPoolSuite } from '../support/reference/global_avg_pool.js';
import { maxPoolSuite } from '../support/reference/max_pool.js';
import { padSuite } from '../support/reference/pad.js';
import { reduceSuite } from '../support/reference/reduce.js';
import { ringConvSuite } from '../support/reference/ring_conv.js';
import { ringExpandSuite } from '../support/reference/ring_expand.js';
import { ringWeightSuite } from '../support/reference/ring_weight.js';
import { rotateSuite } from '../support/reference/rotate.js';
import { sgdSuite } from '../support/reference/sgd.js';
import type { Random } from './cases.js';

export interface RandomCase {
  suite: OpSuite<any>;
  testCase: OpCase<any>;
}

type Draw = (random: Random) => RandomCase;

type Sample<Options> = NonNullable<OpSuite<Options>['sample']>;

function made<Options>(
  suite: OpSuite<Options>,
  inputs: Record<string, readonly number[] | null>,
  options: Options,
  sample?: Sample<Options>,
): RandomCase {
  const given = Object.fromEntries(Object.entries(inputs).filter(([, shape]) => shape !== null));
  const testCase = { name: JSON.stringify({ ...given, options }), inputs: given as OpCase<Options>['inputs'], options };
  return { suite: sample === undefined ? suite : { ...suite, sample }, testCase };
}

/** Mostly short axes, now and then one longer than a vector or a tile. */
function extent(random: Random): number {
  return random.chance(0.15) ? random.integer(8, 70) : random.integer(1, 7);
}

/** A shape of at most `most` elements. */
function shape(random: Random, rank: number, most = 3000): number[] {
  const drawn = Array.from({ length: rank }, () => (random.chance(0.02) ? 0 : extent(random)));
  while (sizeOf(drawn) > most) drawn[drawn.indexOf(Math.max(...drawn))] = random.integer(1, 3);
  return drawn;
}

function each<T>(count: number, draw: () => T): T[] {
  return Array.from({ length: count }, draw);
}

// Differences of the oracle need room around where its function has a kink.
const roomAtKinks = 0.01;

const awayFromZero: Sample<any> = (_name, dimensions, random) => {
  const array = normal(dimensions, random);
  return { ...array, data: array.data.map((value) => Math.fround(value + Math.sign(value) * roomAtKinks)) };
};

const allDifferent: Sample<any> = (_name, dimensions, random) => {
  const array = zeros(dimensions);
  const order = each(array.data.length, random).map((key, index) => ({ key, index }));
  order.sort((a, b) => a.key - b.key);
  // Up to 512 of them differ in bfloat16 too.
  order.forEach(({ index }, rank) => (array.data[index] = (rank - Math.floor(order.length / 2)) / 64));
  return array;
};

interface Steps {
  kernel: number[];
  stride: number[];
  padding: number[];
  dilation: number[];
}

function reachOf({ kernel, dilation }: Steps): number[] {
  return kernel.map((side, axis) => (side - 1) * dilation[axis]! + 1);
}

function steps(random: Random, kernel: number[], mostPadding: (side: number) => number): Steps {
  const one = random.chance(0.5);
  return {
    kernel,
    stride: kernel.map(() => (one ? 1 : random.integer(1, 3))),
    padding: kernel.map((side) => random.integer(0, mostPadding(side))),
    dilation: kernel.map(() => (random.chance(0.7) ? 1 : random.integer(2, 3))),
  };
}

/** Extents that the padded windows fit in, of at most `most` elements if they can. */
function room(random: Random, s: Steps, most: number): number[] {
  const least = reachOf(s).map((reach, axis) => Math.max(1, reach - 2 * s.padding[axis]!));
  const extents = least.map((low) => low + (random.chance(0.2) ? random.integer(8, 40) : random.integer(0, 6)));
  for (let axis = 0; axis < extents.length && sizeOf(extents) > most; ++axis) extents[axis] = least[axis]!;
  return extents;
}

interface Convolution {
  x: number[];
  outer: [number, number];
  groups: number;
  options: {
    stride: number[];
    padding: number[];
    dilation: number[];
    groups: number;
    transposed?: boolean;
    outputPadding?: number[];
  };
  bias: number[] | null;
}

/** What plain and ring convolutions share: `outer` are the first two axes of the weights. */
function convolution(random: Random, kernel: number[]): Convolution {
  const s = steps(random, kernel, (side) => Math.floor(side / 2) + (random.chance(0.2) ? 2 : 0));
  const groups = random.chance(0.7) ? 1 : random.integer(2, 4);
  const few = (): number => (random.chance(0.1) ? random.integer(8, 40) : random.integer(1, 4));
  const [inputs, outputs] = [few(), few()];
  const n = random.chance(0.03) ? 0 : random.integer(1, 3);
  const { stride, padding, dilation } = s;
  // About a million products.
  const most = Math.max(1, 3e5 / (inputs * outputs * groups * sizeOf(kernel)));
  const shared = { groups, bias: random.chance(0.5) ? [outputs * groups] : null };
  if (random.chance(0.7)) {
    const x = [n, inputs * groups, ...room(random, s, most)];
    return { ...shared, x, outer: [outputs * groups, inputs], options: { stride, padding, dilation, groups } };
  }
  const reach = reachOf(s);
  const outputPadding = stride.map((step, axis) => random.integer(0, Math.max(step, dilation[axis]!) - 1));
  const extents = kernel.map((_, axis) => {
    const least = Math.ceil((2 * padding[axis]! - reach[axis]! - outputPadding[axis]! + 1) / stride[axis]!) + 1;
    return Math.max(1, least) + random.integer(0, 3);
  });
  const options = { stride, padding, dilation, groups, transposed: true, outputPadding };
  return { ...shared, x: [n, inputs * groups, ...extents], outer: [inputs * groups, outputs], options };
}

// Casts are tried on every bfloat16 there is (test/core/bfloat16.test.ts).
const draws: Readonly<Record<Exclude<OpStem, 'cast'>, Draw>> = {
  activation: (random) =>
    made(
      activationSuite,
      { x: shape(random, random.integer(0, 5)) },
      { slope: random.pick([0, 1, 0.25]) },
      awayFromZero,
    ),

  add: (random) => {
    const x = shape(random, random.integer(0, 5));
    return made(addSuite, { a: x, b: x }, null);
  },

  avg_pool: (random) => {
    const rank = random.integer(1, 3);
    const s = {
      ...steps(
        random,
        each(rank, () => random.integer(1, 4)),
        (side) => Math.floor(side / 2),
      ),
    };
    s.dilation.fill(1);
    const { kernel: kernelSize, stride, padding } = s;
    const x = [random.integer(0, 3), random.integer(1, 4), ...room(random, s, 300)];
    return made(avgPoolSuite, { x }, { kernelSize, stride, padding, countIncludePad: random.chance(0.5) });
  },

  batch_norm: (random) => {
    const training = random.chance(0.6);
    const x = shape(random, random.integer(2, 5));
    if (training) {
      // Few values may be close to each other, and then the rounding of their differences shows.
      x[0] = random.integer(8, 12);
      for (let axis = 1; axis < x.length; ++axis) x[axis] = Math.max(1, Math.min(x[axis]!, 7));
    }
    const perChannel = (probability: number): number[] | null => (random.chance(probability) ? [x[1]!] : null);
    const running = training && random.chance(0.5) ? null : [x[1]!];
    const residual = random.chance(0.3) ? x : null;
    const inputs = { x, weight: perChannel(0.7), bias: perChannel(0.7), residual, mean: running, variance: running };
    const plain = made(batchNormSuite, inputs, { training });
    if (random.chance(0.5)) return plain;
    // What is drawn, and the same in bfloat16.
    const isFarFromKink = [(value: number) => value, toBfloat16].every((round) => {
      const drawn = caseInputs(plain.suite, plain.testCase, random.seed);
      for (const name of ['x', 'residual']) if (name in drawn) drawn[name]!.data = drawn[name]!.data.map(round);
      return plain.suite
        .reference(drawn, plain.testCase.options)
        .data.every((value) => Math.abs(value) > roomAtKinks / 4);
    });
    return isFarFromKink ? made(batchNormSuite, inputs, { training, relu: true }) : plain;
  },

  conv: (random) => {
    const rank = random.integer(1, 3);
    const kernel = each(rank, () => random.integer(1, random.chance(0.1) ? 9 : 4));
    const { x, outer, options, bias } = convolution(random, kernel);
    return made(convSuite, { x, w: [...outer, ...kernel], bias }, options);
  },

  cross_entropy: (random) => {
    const [rows, classes] = [extent(random), extent(random)];
    const labelSmoothing = random.pick([0, 0.1, 1]);
    const reduction = random.pick(['mean', 'sum'] as const);
    return made(
      crossEntropySuite,
      { logits: [rows, classes], targets: [rows] },
      { classes, labelSmoothing, reduction },
    );
  },

  global_avg_pool: (random) => {
    const x = shape(random, random.integer(3, 5)).map((size, axis) => (axis < 2 ? size : Math.max(1, size)));
    return made(globalAvgPoolSuite, { x }, null);
  },

  max_pool: (random) => {
    const rank = random.integer(1, 3);
    const s = steps(
      random,
      each(rank, () => random.integer(1, 4)),
      (side) => Math.floor(side / 2),
    );
    const { kernel: kernelSize, stride, padding, dilation } = s;
    // At stride and dilation a window may lie in the padding whole: its maximum is -Infinity, which has no differences.
    if (dilation.some((step) => step > 1)) padding.fill(0);
    const x = [random.integer(0, 3), random.integer(1, 4), ...room(random, s, 300)];
    return made(maxPoolSuite, { x }, { kernelSize, stride, padding, dilation }, allDifferent);
  },

  pad: (random) => {
    const x = shape(random, random.integer(3, 5), 600).map((size, axis) => (axis < 2 ? size : Math.max(1, size)));
    const mode = random.pick(['zeros', 'reflect', 'replicate', 'circular'] as const);
    const padding = x.slice(2).map((size): [number, number] => {
      const most = { zeros: 9, replicate: 9, reflect: size - 1, circular: size }[mode];
      return [random.integer(0, Math.min(9, most)), random.integer(0, Math.min(9, most))];
    });
    if (sizeOf(padding.map(([low, high], axis) => low + high + x[axis + 2]!)) > 4000) {
      for (const pair of padding) pair.fill(0);
    }
    return made(padSuite, { x }, { padding, mode });
  },

  reduce: (random) => {
    const x = shape(random, random.integer(0, 5));
    const axes = random.chance(0.2)
      ? undefined
      : [...x.keys()].filter(() => random.chance(0.5)).map((axis) => (random.chance(0.3) ? axis - x.length : axis));
    const isEmpty = x.includes(0);
    return made(
      reduceSuite,
      { x },
      { op: isEmpty ? 'sum' : random.pick(['sum', 'mean'] as const), axes, keepDims: random.chance(0.5) },
    );
  },

  ring_conv: (random) => {
    const rank = random.integer(1, 3);
    const most = rank === 3 ? 2 : random.chance(0.2) ? 6 : 3;
    const kernelSize = random.chance(0.6)
      ? new Array<number>(rank).fill(2 * random.integer(0, most) + 1)
      : each(rank, () => 2 * random.integer(0, most) + 1);
    const rings = random.chance(0.5) ? (kernelSize[0]! + 1) / 2 : random.integer(1, 9);
    const { x, outer, options, bias } = convolution(random, kernelSize);
    return made(
      ringConvSuite,
      { x, v: [...outer, rings], bias },
      { ...options, kernelSize, circular: random.chance(0.8) },
    );
  },

  ring_expand: (random) => {
    const kernelSize = each(random.integer(1, 3), () => 2 * random.integer(0, 4) + 1);
    const v = [random.integer(0, 5), random.integer(1, 5), random.integer(1, 9)];
    return made(ringExpandSuite, { v }, { kernelSize, circular: random.chance(0.5) });
  },

  ring_weight: (random) => {
    const rings = extent(random);
    const weight = [random.integer(0, 9), extent(random), rings];
    return made(ringWeightSuite, { weight, logSigmas: [rings] }, { logSigma: random.pick([-8, -1.5, -0.8, 0, 5]) });
  },

  rotate: (random) => {
    const rank = random.integer(4, 5);
    const axes =
      rank === 4
        ? [2, 3]
        : random.pick([
            [2, 3],
            [3, 4],
            [2, 4],
          ]);
    const plane = (random.chance(0.5) ? axes : axes.toReversed()) as [number, number];
    const degrees = random.pick([0, 90, 180, 270, -90, random.integer(-720, 720), 360 * random.next()]);
    const flip = random.chance(0.5) ? null : random.integer(2, rank - 1);
    return made(rotateSuite, { x: shape(random, rank, 800) }, { degrees, plane, flip });
  },

  sgd: (random) => {
    const parameter = shape(random, random.integer(0, 3));
    const momentum = random.pick([undefined, 0.5, 0.9]);
    const nesterov = momentum !== undefined && random.chance(0.5);
    const options = {
      lr: random.next(),
      momentum,
      nesterov,
      dampening: nesterov ? 0 : random.pick([0, 0.5]),
      weightDecay: random.pick([0, 0.1]),
      firstStep: random.chance(0.3),
    };
    return made(
      sgdSuite,
      { parameter, gradient: parameter, velocity: momentum === undefined ? null : parameter },
      options,
    );
  },
};

const stems = Object.keys(draws) as (keyof typeof draws)[];

export function randomCase(random: Random): RandomCase {
  return draws[random.pick(stems)](random);
}
