// docs/troubleshooting.md starts from error codes: all that there are, and no others.
import { expect } from 'chai';
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
