// Loaded by mocha for scripts/mutations.mjs: notes each case in the file $GMR_MUTATIONS_CASES, a JSON object a line, with
// the kernels that it launched.
import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';
import { cudaSimControl } from '../build-ts/test/support/cuda_sim.js';

let before = new Map();

function launches() {
  const lines = cudaSimControl().kernels().trim().split('\n');
  return new Map(lines.map((line) => line.split(' ').toReversed()));
}

export const mochaHooks = {
  beforeEach() {
    before = launches();
  },
  afterEach() {
    const test = this.currentTest;
    const kernels = [...launches()].filter(([name, count]) => count !== before.get(name)).map(([name]) => name);
    const file = relative(process.cwd(), test.file);
    const noted = { title: test.fullTitle(), file, ms: test.duration ?? 0, failed: test.isFailed(), kernels };
    appendFileSync(process.env.GMR_MUTATIONS_CASES, `${JSON.stringify(noted)}\n`);
  },
};
