// Each op is complete: every pass of native/ops/ops.def has its pieces, and nothing is left over.
import { expect } from 'chai';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { native } from '../lib/native.js';
import * as ops from '../lib/ops/index.js';

const root = process.cwd();
const lines = readFileSync(join(root, 'native/ops/ops.def'), 'utf8').split('\n');
const passes = lines.flatMap((line) => {
  const match = /^GMR_PASS\((\w+), (\w+), (\w+)\)$/.exec(line);
  return match === null ? [] : [{ op: match[1]!, pass: match[2]! }];
});
const stems = [...new Set(passes.map(({ op }) => op))];

describe('contract', () => {
  it('ops.def is alphabetical and holds nothing but passes and comments', () => {
    expect(stems).to.deep.equal(stems.toSorted());
    expect(lines.filter((line) => line !== '' && !line.startsWith('//'))).to.have.length(passes.length);
  });

  for (const op of stems) {
    it(`${op} has its contract, binding, kernels, TypeScript, oracle, test and bench`, () => {
      for (const file of [
        `native/ops/${op}/${op}.h`,
        `native/ops/${op}/${op}_binding.cc`,
        `native/ops/${op}/${op}_cpu.cc`,
        `native/ops/${op}/${op}_cuda.cu`,
        `lib/ops/${op}.ts`,
        `test/support/reference/${op}.ts`,
        `test/ops/${op}.test.ts`,
        `bench/ops/${op}.bench.ts`,
      ]) {
        expect(existsSync(join(root, file)), `expected ${file}`).to.equal(true);
      }
      const name = op.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
      expect(ops, `expected lib/ops/index.ts to export ${name}`).to.have.property(name);
    });
  }

  it('native code and binding.d.ts name the same passes', () => {
    const declared = readFileSync(join(root, 'binding.d.ts'), 'utf8');
    for (const { op, pass } of passes) {
      expect(native(), `gmr.node: ${op}_${pass}`).to.have.property(`${op}_${pass}`);
      expect(declared, `binding.d.ts: ${op}_${pass}`).to.match(new RegExp(`^  ${op}_${pass}: `, 'm'));
    }
  });

  it('no folder of an op is missing from ops.def', () => {
    const folders = readdirSync(join(root, 'native/ops'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    expect(folders.toSorted()).to.deep.equal(stems);
  });

  it('no source file is longer than 600 lines', () => {
    const tooLong: string[] = [];
    for (const folder of ['native', 'lib', 'test', 'bench', 'examples', 'scripts']) {
      for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(ts|mjs|cc|h|cu|cuh)$/.test(entry.name) || entry.parentPath.includes('node_modules'))
          continue;
        const path = join(entry.parentPath, entry.name);
        if (readFileSync(path, 'utf8').split('\n').length > 600) tooLong.push(path);
      }
    }
    expect(tooLong).to.deep.equal([]);
  });
});
