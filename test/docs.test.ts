// docs/troubleshooting.md starts from error codes: all that there are, and no others. All texts run doctor in one way.
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCodes } from '../lib/errors.js';

const text = readFileSync(join(process.cwd(), 'docs', 'troubleshooting.md'), 'utf8');
const sections = text.split(/^## /m).slice(1);

describe('docs/troubleshooting.md', () => {
  const ofCodes = sections.flatMap((section) => {
    const match = /^`(\w+)`\n\n(.*)$/s.exec(section);
    return match === null ? [] : [{ code: match[1]!, paragraph: match[2]! }];
  });

  it('has a section for each error code, in their order', () => {
    expect(ofCodes.map(({ code }) => code)).to.deep.equal([...errorCodes]);
  });

  it('says more than the name of each code', () => {
    for (const { code, paragraph } of ofCodes) expect(paragraph.trim().length, code).to.be.greaterThan(200);
  });
});

// Without `--no` npx would fetch a stranger's package of that name where ours is not installed, and without `--` options are npx's own.
describe('texts', () => {
  it('run doctor by npx --no -- gmr doctor', () => {
    const args = ['grep', '-n', 'gmr doctor', '--', '*.md', 'lib', ':!lib/cli.ts'];
    const lines = execFileSync('git', args, { encoding: 'utf8' }).trim().split('\n');
    const others = lines.filter((line) => line.replaceAll('npx --no -- gmr doctor', '').includes('gmr doctor'));
    expect(others).to.deep.equal([]);
  });
});
