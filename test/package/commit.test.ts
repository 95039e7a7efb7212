// cmake/commit.cmake: what a build in a clone says that it is from.
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

describe('cmake/commit.cmake', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
  const source = join(folder, 'source');
  const header = join(folder, 'commit.h');
  mkdirSync(source);
  after(() => rmSync(folder, { recursive: true }));

  const git = (...args: string[]): string => execFileSync('git', args, { cwd: source, encoding: 'utf8' }).trim();
  /** What the header says after a build. */
  const build = (program = 'git'): string => {
    const script = resolve('cmake/commit.cmake');
    execFileSync('cmake', ['-D', `GIT=${program}`, '-D', `SOURCE=${source}`, '-D', `HEADER=${header}`, '-P', script]);
    return /^#define GMR_COMMIT "(.*)"\n$/.exec(readFileSync(header, 'utf8'))![1]!;
  };

  it('names the commit and whether files differ from it; the header is written where that is new', () => {
    expect(build()).to.equal('unreleased'); // no repository, though one may lie around it
    git('init', '--quiet');
    expect(build()).to.equal('unreleased'); // no commit
    writeFileSync(join(source, 'file'), 'one');
    git('add', '.');
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '--quiet', '--message', 'one');
    const head = git('rev-parse', 'HEAD');
    expect(build()).to.equal(head);
    const { mtimeNs } = statSync(header, { bigint: true });
    expect(build()).to.equal(head);
    expect(statSync(header, { bigint: true }).mtimeNs).to.equal(mtimeNs);
    writeFileSync(join(source, 'file'), 'two');
    expect(build()).to.equal(`${head}+changes`);
    expect(build('')).to.equal('unreleased'); // no git
  });
});
