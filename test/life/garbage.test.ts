// A million small tensors, however they end: all memory comes back, V8's account of it too. See children/garbage.ts.
import { expect } from 'chai';
import { linesOf } from '../support/child.js';
import type { Leftover } from './children/garbage.js';
import { rounds } from './rounds.js';

const mebibyte = 2 ** 20;
const million = 1_000_000;
const fewer = rounds({ quick: million / 10, full: million });

/** How many; whether memory stays low on the way: the collector's finalizers run between turns of the event loop only. */
const endings: Record<string, { count: number; isLow: boolean }> = {
  disposed: { count: million, isLow: false },
  'used at once': { count: fewer, isLow: false },
  'used across an await': { count: fewer, isLow: true },
  'left by an exception': { count: fewer, isLow: false },
  'forgotten in one turn': { count: fewer, isLow: false },
  'forgotten bit by bit': { count: million, isLow: true },
  'forgotten with work queued': { count: fewer, isLow: true },
};

describe('garbage', function () {
  this.timeout(240_000);
  const script = new URL('./children/garbage.js', import.meta.url);
  for (const [ending, { count, isLow }] of Object.entries(endings)) {
    it(`${count} tensors ${ending}, with --expose-gc and without`, async () => {
      const runs = [['--expose-gc'], []].map((flags) =>
        linesOf(script, [ending, String(count)], {}, { flags, limitMs: 120_000 }),
      );
      for (const [line] of await Promise.all(runs)) {
        const left = JSON.parse(line!) as Leftover;
        // The last read is under way when it is counted.
        expect(left.buffers, line).to.be.at.most(1);
        expect(left.bytes, line).to.be.at.most(4);
        expect(left.reservedBytes, line).to.be.at.most(256);
        expect(Math.abs(left.externalBytes), line).to.be.lessThan(mebibyte);
        // A tenth of what they took: the pages that other things have come to lie on, and what was compiled.
        expect(left.residentBytes, line).to.be.lessThan(64 * mebibyte);
        if (isLow) expect(left.peakResidentBytes, line).to.be.lessThan(64 * mebibyte);
      }
    });
  }

  it('the collector is told of memory that large tensors take: forgotten ones go before much has come together', async () => {
    const [line] = await linesOf(script, ['forgotten, of 16 MiB', '100']);
    const left = JSON.parse(line!) as Leftover;
    expect(left.buffers, line).to.be.at.most(10);
    expect(left.peakResidentBytes, line).to.be.lessThan(800 * mebibyte); // of 3200, each with its activation
  });
});
