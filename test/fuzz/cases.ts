// What the programs of this folder share. Each runs numbered cases in a process of its own, so that a crash is a result
// like any other: `node build-ts/test/fuzz/<program>.js <first seed> <count>` prints a line a case, its seed before it
// starts and its outcome behind that.
import { uniform } from '../support/ndarray.js';

/** What a case draws from its seed. */
export class Random {
  /** In [0, 1). */
  readonly next: () => number;

  constructor(readonly seed: number) {
    this.next = uniform(seed);
  }

  /** An integer in [low, high]. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)]!;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.integer(0, 255));
  }
}

/** Names that mean something to objects, for keys of hostile files. */
export const prototypeNames = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'] as const;

function prototypeState(): string {
  return [Object.prototype, Array.prototype, Function.prototype, Map.prototype]
    .flatMap((prototype) => Reflect.ownKeys(prototype).map(String))
    .join();
}

/** AddressSanitizer keeps what is freed for a while, to notice its use. */
const keptBytes = process.env['ASAN_OPTIONS'] === undefined ? 0 : 1 << 30;

/**
 * Runs the cases that the command line asks for.
 * @param runCase Its outcome is one line, the same whenever a case is repeated.
 * @param memoryLimitBytes The most that the process may grow by.
 */
export async function runCases(
  runCase: (random: Random) => Promise<string>,
  memoryLimitBytes = 1 << 30,
): Promise<void> {
  const [first, count] = process.argv.slice(2).map(Number) as [number, number];
  const untouched = prototypeState();
  const startBytes = process.resourceUsage().maxRSS * 1024;
  for (let seed = first; seed < first + count; ++seed) {
    process.stdout.write(`${seed} `);
    const outcome = await runCase(new Random(seed));
    if (prototypeState() !== untouched) throw new Error('a prototype that all objects share was changed');
    const grown = process.resourceUsage().maxRSS * 1024 - startBytes;
    if (grown > memoryLimitBytes + keptBytes) throw new Error(`memory grew by ${grown} bytes`);
    process.stdout.write(`${outcome}\n`);
  }
}
