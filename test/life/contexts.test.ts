// Where the package may find itself: in a vm context, in two copies in one process.
import { expect } from 'chai';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import * as gmr from '../../lib/index.js';
import { addonPath } from '../../lib/native.js';
import { linesOf } from '../support/child.js';
import { heldMemory } from '../support/memory.js';

const trainInContext = `
  const { nn, ops, optim } = gmr;
  const model = new nn.Sequential(new nn.Linear(4, 8, { generator }), new nn.ReLU(), new nn.Linear(8, 2, { generator }));
  const optimizer = new optim.SGD(model, { lr: 0.5, momentum: 0.5 });
  const x = gmr.tensor(new Float32Array([1, 0, 0, 0, 0, 0, 0, 1]), [2, 4]);
  const labels = gmr.tensor(Int32Array.of(0, 1));
  const losses = [];
  for (let i = 0; i < 20; ++i) {
    gmr.scope(() => {
      const loss = ops.crossEntropy(model.forward(x), labels);
      loss.backward();
      optimizer.step();
      optimizer.zeroGrad();
      losses.push(loss.item());
    });
  }
  for (const held of [model, optimizer, x, labels]) held.dispose();
  Promise.all(losses)`;

describe('contexts', () => {
  it('code in a vm context trains, and leaves no memory behind', async () => {
    const before = await heldMemory();
    for (let i = 0; i < 20; ++i) {
      const context = createContext({ gmr, generator: new gmr.Generator(1) });
      const losses = (await runInContext(trainInContext, context)) as number[];
      expect(losses.at(-1)).to.be.lessThan(losses[0]! / 5);
    }
    expect(await heldMemory()).to.deep.equal(before);
  });

  it('what code in a vm context throws and is told are errors as elsewhere', () => {
    const refused = createContext({ gmr });
    const message = runInContext(
      `try { gmr.tensor([1, 'a']) } catch (error) { error.code + ': ' + error.message }`,
      refused,
    ) as string;
    expect(message).to.match(/^invalid_shape: \[tensor\] expected data to be nested arrays of numbers/);
    expect(() =>
      gmr.scope(runInContext(`() => { throw new TypeError('deliberate') }`, refused) as () => void),
    ).to.throw('deliberate');
  });

  it('two copies in one process, on the main thread and in a worker, do not get in each other’s way', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gmr-copies-'));
    try {
      const own = fileURLToPath(new URL('../../lib', import.meta.url));
      const binaries = dirname(addonPath());
      const urls = ['a', 'b'].map((name) => {
        const root = join(folder, name);
        mkdirSync(root);
        cpSync('package.json', join(root, 'package.json'));
        symlinkSync(join(process.cwd(), 'node_modules'), join(root, 'node_modules'));
        cpSync(own, join(root, 'dist'), { recursive: true });
        for (const file of readdirSync(binaries).filter((file) => /\.node$|^libgmr_cpu/.test(file))) {
          cpSync(join(binaries, file), join(root, 'build/Release', file));
        }
        return pathToFileURL(join(root, 'dist/index.js')).href;
      });
      const environment = { GMR_CONV_PREBUILD: '' }; // or both would load the same addon
      const lines = await linesOf(new URL('./children/two_copies.js', import.meta.url), urls, environment);
      // Ten steps of an eighth of the gradient 2.
      expect(lines.slice(0, 4)).to.deep.equal(new Array(4).fill('-1.5 -0.5 0.5'));
      expect(lines[4]).to.equal('[add] expected a to be a Tensor, received Tensor true false');
      expect(lines[5]).to.equal('true true');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
