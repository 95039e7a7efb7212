// A process ends as it should, whatever is queued, and its threads with it. A hang is ended by the watchdog of 10 s and fails.
import { expect } from 'chai';
import { inPairs, runScript } from '../support/child.js';
import { rounds } from './rounds.js';

const script = new URL('./children/ending.js', import.meta.url);

const endings: Record<string, { code: number | null; signal: NodeJS.Signals | null }> = {
  'natural end': { code: 0, signal: null },
  exit: { code: 7, signal: null },
  throw: { code: 1, signal: null },
  SIGTERM: { code: null, signal: 'SIGTERM' },
  'exit beside a worker': { code: 7, signal: null },
  'natural end, loaded by only a worker': { code: 0, signal: null },
  'exit, loaded by only a worker': { code: 7, signal: null },
};

describe('process endings with work queued', function () {
  this.timeout(600_000);
  const [few, many] = [rounds({ quick: 6, full: 50 }), rounds({ quick: 50, full: 200 })];
  for (const [ending, { code, signal }] of Object.entries(endings)) {
    const count = ending.includes('worker') ? few : many;
    it(`${ending}, ${count} times`, () =>
      inPairs(count, async (i) => {
        const result = await runScript(script, [ending, String(i % 20)], {}, { limitMs: 10_000 });
        expect({ code: result.code, signal: result.signal }, result.stderr).to.deep.equal({ code, signal });
        expect(result.stderr).to.match(ending === 'throw' ? /Error: deliberate/ : /^$/);
      }));
  }
});
