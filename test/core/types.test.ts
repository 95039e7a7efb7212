// What the package says about its types, as a consumer's compiler reads it.
import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = process.cwd();

/** Runs the compiler; resolves to its complaints. */
async function tsc(folder: string, ...args: string[]): Promise<string> {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    return (await promisify(execFile)(process.execPath, [compiler, ...args], { cwd: folder })).stdout;
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

/** Writes the package's declarations below `out`. */
function emitDeclarations(out: string, ...args: string[]): Promise<string> {
  const options = ['--emitDeclarationOnly', '--sourceMap', 'false', '--outDir', out];
  return tsc(root, '-p', 'tsconfig.build.json', ...options, ...args);
}

/** Names that a declaration file exports, itself or from others, and the files that it takes them from. */
function publicTypes(index: string, names = new Set<string>(), files = new Set<string>()): [Set<string>, Set<string>] {
  const text = readFileSync(index, 'utf8');
  for (const [, list, from] of text.matchAll(/^export (?:type )?(?:\{(.*?)\}|\* as \w+) from '(.*)\.js';$/gm)) {
    const file = resolve(dirname(index), `${from}.d.ts`);
    if (list === undefined) publicTypes(file, names, files);
    else if (from!.startsWith('./')) files.add(file); // not binding.d.ts, which is written by hand
    for (const name of list?.match(/\w+/g) ?? []) names.add(name);
  }
  return [names, files];
}

/** Types that a file declares or imports. */
function mentionedTypes(text: string): string[] {
  const declared = text.matchAll(/^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type) (\w+)/gm);
  const imported = [...text.matchAll(/^import (?:type )?\{(.*?)\} from/gm)].flatMap(([, list]) => list!.split(','));
  return [...Array.from(declared, ([, name]) => name!), ...imported.map((name) => /\w+(?= *$)/.exec(name)![0])];
}

describe('types', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gmr-types-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('are whole for a consumer who has no newer library than ES2022', async () => {
    const home = join(folder, 'node_modules', 'gmr-conv');
    mkdirSync(home, { recursive: true });
    for (const file of ['package.json', 'binding.d.ts']) copyFileSync(join(root, file), join(home, file));
    expect(await emitDeclarations(join(home, 'dist'))).to.equal('');
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    // With declarations asked for, a type that cannot be named is an error.
    const source = `import * as gmr from 'gmr-conv';
      export const model = new gmr.nn.Sequential(new gmr.nn.GMRConv2d(1, 8, 9, { padding: 'same' }), new gmr.nn.ReLU());
      export const check = model.loadStateDict(model.stateDict());
      export const buffers = [...model.namedBuffers()];
      export const optimizer = new gmr.optim.SGD(model, { lr: 0.1 });
      export const dispose = (x: gmr.Tensor): void => x[Symbol.dispose]();
      export const sides: gmr.ops.Extents = [3, 5];`;
    writeFileSync(join(folder, 'index.ts'), source);
    const compilerOptions = {
      target: 'ES2022',
      lib: ['ES2022'],
      module: 'node16',
      strict: true,
      skipLibCheck: false,
      types: [],
      declaration: true,
      outDir: 'out',
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['index.ts'] }));
    expect(await tsc(folder, '-p', '.')).to.equal('');
  });

  it('are exported where a public signature mentions them', async () => {
    const declarations = join(folder, 'declarations');
    expect(await emitDeclarations(declarations, '--stripInternal')).to.equal('');
    const [names, files] = publicTypes(join(declarations, 'index.d.ts'));
    expect(names).to.include('Tensor').and.to.include('GMRConvOptions');
    const texts = Array.from(files, (file) => [relative(declarations, file), readFileSync(file, 'utf8')] as const);
    // A class that layers have in common is known by what they inherit.
    const bases = new Set(
      texts.flatMap(([, text]) => Array.from(text.matchAll(/ extends (\w+)/g), ([, name]) => name)),
    );
    const hidden = texts.flatMap(([file, text]) =>
      mentionedTypes(text).flatMap((name) => (names.has(name) || bases.has(name) ? [] : [`${file}: ${name}`])),
    );
    expect(hidden).to.deep.equal([]);
  });
});
