// The host's memory runs out at each allocation of native code in turn: see children/allocations.ts.
import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { addonPath } from '../../lib/native.js';
import { linesOf } from '../support/child.js';
import { cudaSim } from '../support/devices.js';

const folder = mkdtempSync(join(tmpdir(), 'gmr-'));

describe('a failure of each allocation of native code', function () {
  this.timeout(120_000);
  after(() => rmSync(folder, { recursive: true }));

  for (const kind of ['cpu', 'cuda_sim']) {
    it(`${kind}: it is told as out_of_memory, nothing waits for ever, and the device goes on`, async function () {
      if (kind === 'cuda_sim' && cudaSim === undefined) this.skip();
      if (process.env['LD_PRELOAD'] !== undefined) {
        console.log('Not tested with failing allocations: a sanitizer has operators new of its own');
        this.skip();
      }
      const counter = join(folder, kind);
      writeFileSync(counter, new BigInt64Array([-1n]));
      const environment = {
        GMR_FAIL_NEW: counter,
        LD_PRELOAD: join(dirname(addonPath()), 'testing', 'gmr_fail_new.so'),
      };
      const script = new URL('./children/allocations.js', import.meta.url);
      const lines = await linesOf(script, [kind], environment, { flags: ['--expose-gc'], limitMs: 60_000 });
      const through = lines.pop()!;
      // y, and the gradients of x, v, w, scale and bias.
      expect(through).to.match(/^\S+( \S+){167}; 2; 1 buffers$/);
      expect(lines.length).to.be.greaterThan(100);
      // Some failures are made up for.
      for (const [n, line] of lines.entries()) {
        if (line !== through) expect(line, `allocation ${n}`).to.equal('out_of_memory; 2; 1 buffers');
      }
    });
  }
});
