// What npm packs, and what `npm run pack:check` lets it pack.
import { expect } from 'chai';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

describe('packed files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
  after(() => rmSync(folder, { recursive: true }));

  it('are without docs/reference, into which npm run docs installs packages', () => {
    copyFileSync('package.json', join(folder, 'package.json'));
    for (const path of ['docs/gmr.md', 'docs/decisions/tools.md', 'docs/reference/node_modules/typedoc/README.md']) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      writeFileSync(join(folder, path), '');
    }
    const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
    const stdout = execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
    const [{ files }] = Object.values(JSON.parse(stdout) as object) as [{ files: { path: string }[] }];
    const packed = files.map(({ path }) => path).filter((path) => path.startsWith('docs/'));
    expect(packed).to.have.members(['docs/gmr.md', 'docs/decisions/tools.md']);
  });

  it('are in git or made by the build, else pack:check fails', () => {
    const paths = {
      good: ['package.json', 'docs/gmr.md', 'lib/index.ts', 'dist/index.js', 'prebuilds/linux-x64/gmr.glibc.node'],
      bad: ['docs/reference/node_modules/typedoc/README.md', 'docs/mine.md', 'lib/mine.ts', 'test/docs.test.ts'],
    };
    const script = `import { foreignPaths } from './scripts/pack_check.mjs';
      console.log(JSON.stringify(foreignPaths(${JSON.stringify([...paths.good, ...paths.bad])})));`;
    const args = ['--input-type=module', '-e', script];
    expect(JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))).to.deep.equal(paths.bad);
  });

  it('npm run pack:check --release is refused: npm has taken the option for its own', () => {
    const env = { ...process.env, npm_lifecycle_event: 'pack:check', npm_config_release: 'true' };
    const options = { encoding: 'utf8', env, timeout: 10_000 } as const;
    const { status, stderr } = spawnSync(process.execPath, ['scripts/pack_check.mjs'], options);
    expect(stderr).to.equal(
      'expected `npm run pack:check -- --release`: without the -- in front npm keeps --release\n',
    );
    expect(status).to.equal(2);
  });
});
