// The short version of npm run test:soak.
import { expect } from 'chai';
import { runScript } from '../support/child.js';

describe('soak', function () {
  this.timeout(60_000);
  const script = new URL('./children/soak.js', import.meta.url);

  it('memory stays flat while it trains, and a leak is seen', async () => {
    const run = (...args: string[]): ReturnType<typeof runScript> =>
      runScript(script, args, {}, { flags: ['--expose-gc'], limitMs: 60_000 });
    const [flat, leak] = await Promise.all([run('4'), run('4', 'leak')]);
    expect(flat.code, flat.stdout + flat.stderr).to.equal(0);
    expect(leak.code, leak.stdout + leak.stderr).to.equal(1);
    expect(leak.stdout).to.match(/\d+ steps .* more in the last/);
  });
});
