// The package's bundle: what `npm run bundle` makes of lib/.
import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { DoctorReport } from '../../lib/doctor/report.js';
import * as lib from '../../lib/index.js';
import { addonPath, usableCpuLevels } from '../../lib/native.js';

const folder = mkdtempSync(join(tmpdir(), 'gmr-bundle-'));
const dist = join(folder, 'dist');

/** What is exported, with the name that a function or class has itself. */
function names(exports: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(exports).map(([name, value]) => [name, typeof value === 'function' ? value.name : typeof value]),
  );
}

describe('bundle', () => {
  before(async () => {
    await promisify(execFile)('npm', ['run', '--silent', 'bundle', '--', '--dir', dist]);
    copyFileSync('package.json', join(folder, 'package.json'));
    symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
    symlinkSync(dirname(dirname(addonPath())), join(folder, 'build'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('is a few files, with the exports of lib and classes under their names', async () => {
    expect(readdirSync(dist).filter((file) => file.endsWith('.js'))).to.have.lengthOf.below(10);
    const bundle = (await import(pathToFileURL(join(dist, 'index.js')).href)) as typeof lib;
    expect(names(bundle)).to.deep.equal(names(lib));
    for (const [bundled, own] of [
      [bundle.nn, lib.nn],
      [bundle.ops, lib.ops],
      [bundle.optim, lib.optim],
      [bundle.models, lib.models],
    ]) {
      expect(names(bundled!)).to.deep.equal(names(own!));
    }
  });

  it('finds its own probe: gmr doctor examines all CPU levels', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(dist, 'cli.js'), 'doctor', '--json']);
    const { backends } = JSON.parse(stdout) as DoctorReport;
    const working = backends.filter(({ kind, status }) => kind === 'cpu' && status === 'works');
    expect(working.map(({ name }) => name)).to.deep.equal(usableCpuLevels());
  });
});
