// The README's examples are run as they stand.
import { expect } from 'chai';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './support/child.js';

const examples = [...readFileSync('README.md', 'utf8').matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code!);

/** An example without the import, which `runChild` brings. */
function body(example = ''): string {
  const rest = example.replace("import * as gmr from 'gmr-conv';\n", '');
  expect(rest).to.not.equal(example);
  return rest;
}

describe('README', () => {
  it('its example trains, and prints the losses that it says', async () => {
    const example = examples[0];
    const result = await runChild(body(example));
    expect(result.code, result.stderr).to.equal(0);
    const losses = result.stdout.trim().split('\n').map(Number);
    expect(losses).to.have.length(20);
    const [, first, last] = /from ([\d.]+) down to ([\d.]+)/.exec(example!)!;
    expect(losses[0]!.toFixed(2)).to.equal(first);
    expect(losses.at(-1)!.toFixed(2)).to.equal(last);
  });

  it('its second example saves, goes on and infers', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
    try {
      const script = `process.chdir(${JSON.stringify(folder)});\n${body(examples[0])}\n${examples[1]}`;
      const result = await runChild(script);
      expect(result.code, result.stderr).to.equal(0);
      const logits = /Float32Array\(4\) \[([^\]]*)\]/.exec(result.stdout)![1]!.split(',').map(Number);
      expect(logits[0], result.stdout).to.be.greaterThan(logits[1]!);
      expect(logits[3]).to.be.greaterThan(logits[2]!);
      expect(readdirSync(folder).toSorted()).to.deep.equal(['model.safetensors', 'optimizer.safetensors']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('its third example brings pixels into the order of layers', async () => {
    expect(examples).to.have.length(3);
    // An image of two columns and one row, as sharp gives it.
    const stub = `const buffer = { data: Buffer.from([51, 102, 153, 0, 204, 255]), info: { width: 2, height: 1 } };
      const sharp = () => ({ removeAlpha: () => ({ raw: () => ({ toBuffer: async () => buffer }) }) });`;
    const show =
      'console.log(JSON.stringify([photo.shape, [...(await photo.data())].map((value) => value.toFixed(1))]));';
    const result = await runChild(`${stub}\n${examples[2]}\n${show}`);
    expect(result.code, result.stderr).to.equal(0);
    const channels = ['0.2', '0.0', '0.4', '0.8', '0.6', '1.0'];
    expect(JSON.parse(result.stdout)).to.deep.equal([[1, 3, 1, 2], channels]);
  });
});
