// The README's example is run as it stands.
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { runChild } from './support/child.js';

describe('README', () => {
  it("its example runs and prints the loss of two classes' worth of doubt", async () => {
    const [, example] = /```js\n([^]*?)```/.exec(readFileSync('README.md', 'utf8'))!;
    const body = example!.replace("import * as gmr from 'gmr-conv';\n", '');
    expect(body).to.not.equal(example);
    const result = await runChild(body);
    expect(result.code, result.stderr).to.equal(0);
    expect(Number(result.stdout)).to.be.within(0.1, 3);
  });
});
