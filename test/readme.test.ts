// The README's example is run as it stands.
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { runChild } from './support/child.js';

describe('README', () => {
  it('its example trains, and prints the losses that it says', async () => {
    const [, example] = /```js\n([^]*?)```/.exec(readFileSync('README.md', 'utf8'))!;
    const body = example!.replace("import * as gmr from 'gmr-conv';\n", '');
    expect(body).to.not.equal(example);
    const result = await runChild(body);
    expect(result.code, result.stderr).to.equal(0);
    const losses = result.stdout.trim().split('\n').map(Number);
    expect(losses).to.have.length(20);
    const [, first, last] = /from ([\d.]+) down to ([\d.]+)/.exec(example!)!;
    expect(losses[0]!.toFixed(2)).to.equal(first);
    expect(losses.at(-1)!.toFixed(2)).to.equal(last);
  });
});
