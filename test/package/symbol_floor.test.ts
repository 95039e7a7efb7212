// What released binaries may ask of a machine (scripts/symbol_floor.mjs), by a forged table and by what readelf says of
// this build.
import { expect } from 'chai';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { addonPath } from '../../lib/native.js';

interface Elf {
  arch?: string;
  libraries: string[];
  symbols: { name: string; library?: string; version: string }[];
}

const script = async (name: string): Promise<unknown> =>
  import(pathToFileURL(join(process.cwd(), 'scripts', name)).href);

describe('the floor of released binaries', () => {
  let aboveFloor: (name: string, elf: Elf) => string[];
  let readElf: (path: string) => Elf;
  before(async () => {
    ({ aboveFloor } = (await script('symbol_floor.mjs')) as { aboveFloor: typeof aboveFloor });
    ({ readElf } = (await script('elf.mjs')) as { readElf: typeof readElf });
  });

  it('takes what is not above it', () => {
    const versions = ['GLIBC_2.2.5', 'GLIBC_2.28', 'GLIBCXX_3.4', 'GLIBCXX_3.4.25', 'CXXABI_1.3.11', 'GCC_3.0'];
    const symbols = versions.map((version) => ({ name: 'f', version }));
    expect(aboveFloor('a.so', { libraries: ['libc.so.6', 'libstdc++.so.6'], symbols })).to.deep.equal([]);
  });

  it('names binary, symbol and version of what is above it', () => {
    const symbols = [
      { name: 'exp', version: 'GLIBC_2.29' },
      { name: 'dlopen', version: 'GLIBC_2.34' },
      { name: 'next', version: 'GLIBC_3.0' },
      { name: 'wait', version: 'GLIBCXX_3.4.30' },
      { name: 'addref', version: 'CXXABI_1.3.13' },
      { name: 'relr', version: 'GLIBC_ABI_DT_RELR' },
      { name: 'omp', version: 'GOMP_1.0' },
      { name: 'f', version: 'GLIBC_2.9' },
    ];
    expect(aboveFloor('a.so', { libraries: ['libgomp.so.1'], symbols })).to.deep.equal([
      'a.so: expected no library beside those of C and C++, needs libgomp.so.1',
      'a.so: expected at most GLIBC_2.28, needs GLIBC_2.29 for exp',
      'a.so: expected at most GLIBC_2.28, needs GLIBC_2.34 for dlopen',
      'a.so: expected at most GLIBC_2.28, needs GLIBC_3.0 for next',
      'a.so: expected at most GLIBCXX_3.4.25, needs GLIBCXX_3.4.30 for wait',
      'a.so: expected at most CXXABI_1.3.11, needs CXXABI_1.3.13 for addref',
      'a.so: expected a numbered version of GLIBC, GLIBCXX, CXXABI, GCC, needs GLIBC_ABI_DT_RELR for relr',
      'a.so: expected a numbered version of GLIBC, GLIBCXX, CXXABI, GCC, needs GOMP_1.0 for omp',
    ]);
  });

  it('names a file that it cannot read, and asks for one where none is given', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
    const run = (...args: string[]): [number | null, string, string] => {
      const command = [join('scripts', 'symbol_floor.mjs'), ...args];
      const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
      return [status, stdout, stderr];
    };
    try {
      expect(run()).to.deep.equal([2, '', 'Usage: node scripts/symbol_floor.mjs FILE...\n']);
      const file = join(folder, 'a.so');
      expect(run(file)).to.deep.equal([2, '', `ENOENT: no such file or directory, open '${file}'\n`]);
      const whole = readFileSync(addonPath());
      const expected = `${file}: expected a 64-bit ELF file that is linked dynamically\n`;
      for (const bytes of ['', 'no library', whole.subarray(0, 64), whole.subarray(0, whole.length >> 1)]) {
        writeFileSync(file, bytes);
        expect(run(file)).to.deep.equal([2, '', expected]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('reads the versions and libraries that binutils read', function () {
    const path = join(process.cwd(), 'build/Release/gmr.node');
    let symbols: string, dynamic: string;
    try {
      symbols = execFileSync('readelf', ['--dyn-syms', '--wide', path], { encoding: 'utf8' });
      dynamic = execFileSync('readelf', ['--dynamic', path], { encoding: 'utf8' });
    } catch {
      console.log('symbol floor: not compared with binutils, readelf is not there');
      return this.skip();
    }
    const elf = readElf(path);
    const wanted = [...symbols.matchAll(/UND (\S+)@([\w.]+)/g)].map(([, name, version]) => `${name}@${version}`);
    expect(elf.symbols.map(({ name, version }) => `${name}@${version}`).toSorted()).to.deep.equal(wanted.toSorted());
    expect(wanted).to.include('memcpy@GLIBC_2.14');
    expect(elf.libraries).to.deep.equal([...dynamic.matchAll(/NEEDED.*\[(.+)\]/g)].map(([, name]) => name));
    expect(elf.arch).to.equal(process.arch);
  });
});
