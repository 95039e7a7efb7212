// What is said where no native binary fits this machine.
import { expect } from 'chai';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from '../support/child.js';

const here = `${process.platform}-${process.arch}`;
const [release] = /\d+\.\d+/.exec(
  (process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }).header.glibcVersionRuntime ??
    '',
) ?? [''];

describe('a machine that no binary fits', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
  after(() => rmSync(folder, { recursive: true }));

  /** The error of the first use, with the binaries of `folder` alone. */
  async function firstUse(environment: Record<string, string> = {}): Promise<string> {
    const body = `try { gmr.tensor([1]); } catch (e) { console.log(e.constructor.name + ' ' + e.code + ' ' + e.message); }`;
    const result = await runChild(body, { GMR_CONV_PREBUILD: folder, ...environment });
    expect(result.code, result.stderr).to.equal(0);
    return result.stdout;
  }

  function forge(name: string): void {
    mkdirSync(join(folder, 'prebuilds', name, '..'), { recursive: true });
    writeFileSync(join(folder, 'prebuilds', name), 'no binary');
  }

  it('without any: what was looked for, where, and the commands that build one', async () => {
    const lines = (await firstUse()).trimEnd().split('\n');
    const node = process.version;
    expect(lines[0]).to.equal(
      `GmrError native_missing [gmr] expected a native binary. This is ${here}, glibc ${release}, Node ${node}.`,
    );
    expect(lines.slice(1)).to.deep.equal([
      `  Looked in ${folder}`,
      `  for       build/Release/*.node, then prebuilds/${here}/*.node (for glibc 2.28 or newer)`,
      '  and found none',
      'To build it from source, with CMake 3.25 or newer and a C++20 compiler (GCC 12, Clang 19 or newer):',
      `  cd ${process.cwd()}`,
      '  npm install',
      '  npm run build',
    ]);
  });

  it('another platform', async () => {
    forge(`${here}/gmr.glibc.node`);
    const text = await firstUse({ npm_config_platform: 'darwin', npm_config_arch: 'arm64' });
    expect(text).to.include('This is darwin-arm64, ');
    expect(text).to.include('then prebuilds/darwin-arm64/*.node');
    expect(text).to.include(`and found prebuilds/${here}/gmr.glibc.node\n`);
  });

  it('another C library: the binary for glibc is left alone', async () => {
    forge(`${here}/gmr.glibc.node`);
    const text = await firstUse({ LIBC: 'musl' });
    expect(text).to.include('native_missing [gmr] expected a native binary. ');
    expect(text).to.include(`and found prebuilds/${here}/gmr.glibc.node\n`);
  });

  it('a binary that does not load: which, and why', async () => {
    forge(`${here}/gmr.glibc.node`);
    const path = join(folder, 'prebuilds', here, 'gmr.glibc.node');
    expect(await firstUse()).to.match(
      new RegExp(
        `^GmrError native_missing \\[gmr\\] expected ${path} to load: .*(too short|invalid ELF).*This is ${here}`,
        's',
      ),
    );
  });
});
