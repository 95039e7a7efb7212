// Random numbers that a seed repeats: initial weights, shuffles, augmentation. Host side, Mersenne Twister.
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { mersenne, mersenneFromState } from 'pure-rand/generator/mersenne';
import { expectArray, expectInteger, expectNumber, fail } from './errors.js';

const seeds = 2 ** 32;

// By the global `crypto`, which Node loads when it is first used: node:crypto would cost every import 4 ms.
const systemSeed = (): number => crypto.getRandomValues(new Uint32Array(1))[0] as number;

/** A seeded source of random numbers (mt19937). Equal seeds give equal numbers on every machine. */
export class Generator {
  private source: ReturnType<typeof mersenne>;

  /** @param seed An integer in [0, 2^32); left out, one is drawn from the system. */
  constructor(seed?: number) {
    this.source = mersenne(seed === undefined ? systemSeed() : expectInteger('Generator', 'seed', seed, 0, seeds - 1));
  }

  /** Starts anew from `seed`, an integer in [0, 2^32). */
  seed(seed: number): void {
    this.source = mersenne(expectInteger('Generator', 'seed', seed, 0, seeds - 1));
  }

  /** A number in [low, high), with 53 random bits. */
  uniform(low = 0, high = 1): number {
    expectNumber('Generator.uniform', 'low', low);
    expectNumber('Generator.uniform', 'high', high, low);
    return low + (high - low) * uniformFloat64(this.source);
  }

  /** A normally distributed number (Box-Muller). */
  normal(mean = 0, deviation = 1): number {
    expectNumber('Generator.normal', 'mean', mean);
    expectNumber('Generator.normal', 'deviation', deviation, 0);
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** An integer in [low, high), each equally likely. */
  integer(low: number, high: number): number {
    expectInteger('Generator.integer', 'low', low, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    expectInteger('Generator.integer', 'high', high, low + 1, Number.MAX_SAFE_INTEGER);
    return uniformInt(this.source, low, high - 1);
  }

  /** Puts `items` in random order, in place, and returns it. */
  shuffle<T extends unknown[] | Int32Array>(items: T): T {
    if (!(Array.isArray(items) || (ArrayBuffer.isView(items) && 'length' in items)) || Object.isFrozen(items)) {
      fail('Generator.shuffle', 'items', 'be an array or typed array that may be changed', items);
    }
    for (let last = items.length - 1; last > 0; --last) {
      const other = uniformInt(this.source, 0, last);
      [items[last], items[other]] = [items[other], items[last]];
    }
    return items;
  }

  /** The integers 0..count-1 in random order. */
  permutation(count: number): Int32Array {
    return this.shuffle(
      Int32Array.from({ length: expectInteger('Generator.permutation', 'count', count, 0) }, (_, i) => i),
    );
  }

  /** `count` float32 numbers in [low, high). */
  uniformArray(count: number, low = 0, high = 1): Float32Array {
    const values = new Float32Array(expectInteger('Generator.uniformArray', 'count', count, 0));
    return values.map(() => this.uniform(low, high));
  }

  /** `count` float32 normally distributed numbers. */
  normalArray(count: number, mean = 0, deviation = 1): Float32Array {
    const values = new Float32Array(expectInteger('Generator.normalArray', 'count', count, 0));
    expectNumber('Generator.normalArray', 'deviation', deviation, 0);
    return values.map(() => this.normal(mean, deviation));
  }

  /** A new generator seeded from this one, e.g. one a worker: what one draws does not depend on what another does. */
  fork(): Generator {
    return new Generator(this.source.next() >>> 0);
  }

  /** Where the generator stands, as plain numbers (for JSON); see `setState`. */
  getState(): number[] {
    return [...this.source.getState()];
  }

  /** Goes on from a state of `getState`. */
  setState(state: readonly number[]): void {
    const words = expectArray('Generator', 'state', state, 'what getState() returned (625 integers)', 625).map(
      (word, i) => expectInteger('Generator', `state[${i}]`, word, i === 0 ? 0 : -(2 ** 31), i === 0 ? 623 : seeds - 1),
    );
    this.source = mersenneFromState(words);
  }
}

/** @internal A generator, or an error. */
export function expectGenerator(where: string, value: unknown): Generator {
  if (!(value instanceof Generator)) fail(where, 'generator', 'be a Generator', value);
  return value;
}

let shared: Generator | undefined;

/** The generator that is used where none is given. */
export function defaultGenerator(): Generator {
  return (shared ??= new Generator());
}

/** Seeds the default generator: what is initialised or shuffled after it is the same in every run. Returns the generator. */
export function manualSeed(seed: number): Generator {
  const generator = defaultGenerator();
  generator.seed(seed);
  return generator;
}
