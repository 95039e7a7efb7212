// Files that cannot be written to the end: what was there before stays whole, and the error names the file.
import { expect } from 'chai';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as gmr from '../../lib/index.js';
import { inPairs, runChild } from '../support/child.js';
import { mountProblem, printedWithMounts } from '../support/mounts.js';
import { uniform } from '../support/ndarray.js';
import { rounds } from './rounds.js';

const { readSafetensors, writeSafetensors } = gmr.io;
const folder = mkdtempSync(join(tmpdir(), 'gmr-files-'));
after(() => rmSync(folder, { recursive: true }));
const script = fileURLToPath(new URL('./children/writes_file.js', import.meta.url));

/** The value that fills a file which the script, or the test, wrote: all of it is from one write. */
async function valueIn(path: string): Promise<number> {
  const { tensors, metadata } = await readSafetensors(path);
  const { data } = tensors.get('weight')!;
  const value = Number(metadata['value']);
  expect(data.every((item: number | bigint) => item === value)).to.equal(true);
  return value;
}

describe('files', () => {
  it(`kill -9 while one is written, ${rounds({ quick: 100, full: 500 })} times: the last whole one is there`, async function () {
    this.timeout(600_000);
    const seed = Date.now() % 2 ** 31;
    const random = uniform(seed);
    const cut = new Set<number>();
    await inPairs(rounds({ quick: 100, full: 500 }), async (i) => {
      const path = join(folder, `${i}.safetensors`);
      const child = spawn(process.execPath, [script, path, '250000', 'forever'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const end = once(child, 'close');
      let written = 0;
      child.stdout.setEncoding('utf8').on('data', (text: string) => (written += text.split('\n').length - 1));
      await once(child.stdout, 'data');
      await setTimeout(random() * 20);
      child.kill('SIGKILL');
      await end;
      // One more may have been renamed and not yet told.
      expect((await valueIn(path)) - written, `seed ${seed}`).to.be.within(0, 1);
      const left = readdirSync(folder).filter((name) => name.startsWith(`${i}.safetensors.`));
      if (left.length > 0) cut.add(i);
      for (const name of [...left, `${i}.safetensors`]) rmSync(join(folder, name));
    });
    // It was in the middle of a write often enough for the test to mean something.
    expect(cut.size).to.be.greaterThan(10);
  });

  it('a limit on the size of files: the previous one stays, no other is left', async () => {
    const path = join(folder, 'limited.safetensors');
    await writeSafetensors(path, { weight: new Float32Array(10).fill(7) }, { value: '7' });
    const command = 'ulimit -f 1000; exec "$0" "$@"'; // 512 or 1024 bytes each
    const args = ['-c', command, process.execPath, script, path, '500000', 'once'];
    const { stdout, stderr } = spawnSync('sh', args, { encoding: 'utf8' });
    expect(stdout, stderr).to.equal(`invalid_file [writeSafetensors] ${path}: EFBIG: file too large, write\n`);
    expect(await valueIn(path)).to.equal(7);
    expect(readdirSync(folder)).to.deep.equal(['limited.safetensors']);
    rmSync(path);
  });

  it('a file that is replaced keeps its permissions, a link leads to the new one, nothing else is written over', async () => {
    const [path, link] = ['private.safetensors', 'latest.safetensors'].map((name) => join(folder, name)) as [
      string,
      string,
    ];
    await writeSafetensors(path, { weight: new Float32Array(10).fill(1) }, { value: '1' });
    chmodSync(path, 0o600);
    symlinkSync('private.safetensors', link);
    await writeSafetensors(link, { weight: new Float32Array(10).fill(2) }, { value: '2' });
    expect(lstatSync(link).isSymbolicLink()).to.equal(true);
    expect(await valueIn(path)).to.equal(2);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    const named = join(folder, `${'n'.repeat(243)}.safetensors`); // as long as names may be
    await writeSafetensors(named, { weight: new Float32Array(10).fill(3) }, { value: '3' });
    expect(await valueIn(named)).to.equal(3);
    const error: unknown = await writeSafetensors(folder, {}).catch((problem: unknown) => problem);
    expect(error).to.include({ code: 'invalid_file', message: `[writeSafetensors] ${folder}: it is no regular file` });
    expect(readdirSync(folder).toSorted()).to.deep.equal([
      'latest.safetensors',
      basename(named),
      'private.safetensors',
    ]);
    for (const file of [path, link, named]) rmSync(file);
  });

  it('a folder that may not be written to, a file that may not be read: told, the previous one stays', async () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed);
    const path = join(closed, 'x.safetensors');
    await writeSafetensors(path, { weight: new Float32Array(10).fill(7) }, { value: '7' });
    chmodSync(folder, 0o755);
    chmodSync(closed, 0o555);
    chmodSync(path, 0o600);
    // Permissions hold for all but root: who nobody is, the child becomes once it is loaded. A file of one's own is closed by its mode.
    const body = `
      if (process.getuid() === 0) {
        process.setgroups([]);
        process.setgid(65534);
        process.setuid(65534);
      } else (await import('node:fs')).chmodSync(${JSON.stringify(path)}, 0);
      const { readSafetensors, writeSafetensors } = gmr.io;
      const tell = (error) => console.log(error.code, error.message.replace(/open '.*/, 'open'));
      await writeSafetensors(${JSON.stringify(path)}, { weight: new Float32Array(1) }).catch(tell);
      await writeSafetensors(${JSON.stringify(join(closed, 'new'))}, { weight: new Float32Array(1) }).catch(tell);
      await readSafetensors(${JSON.stringify(path)}).catch(tell);`;
    const { stdout, stderr } = await runChild(body);
    for (const [place, mode] of [
      [closed, 0o755],
      [path, 0o600],
    ] as const) {
      chmodSync(place, mode);
    }
    const problem = 'EACCES: permission denied, open';
    expect(stdout.trimEnd().split('\n'), stderr).to.deep.equal([
      `invalid_file [writeSafetensors] ${path}: ${problem}`,
      `invalid_file [writeSafetensors] ${join(closed, 'new')}: ${problem}`,
      `invalid_file [readSafetensors] ${path}: ${problem}`,
    ]);
    expect(await valueIn(path)).to.equal(7);
    expect(readdirSync(closed)).to.deep.equal(['x.safetensors']);
    rmSync(closed, { recursive: true });
  });

  it('a full disk, a file system that is read-only: the previous one stays, no other is left', function () {
    const problem = mountProblem();
    if (problem !== undefined) {
      console.log(`Not tested on a full disk: ${problem}`);
      this.skip();
    }
    const path = join(folder, 'x.safetensors');
    // Written before the disk is full or read-only; read and listed after the failure.
    const body = `
      import { readdirSync } from 'node:fs';
      import { execFileSync } from 'node:child_process';
      import { readSafetensors, writeSafetensors } from ${JSON.stringify(new URL('../../lib/io/index.js', import.meta.url).href)};
      const [path, remount] = process.argv.slice(1);
      await writeSafetensors(path, { weight: new Float32Array(10).fill(7) });
      if (remount !== undefined) execFileSync('mount', ['-o', 'remount,' + remount, ${JSON.stringify(folder)}]);
      await writeSafetensors(path, { weight: new Float32Array(1e6) }).catch((error) => console.log(error.code, error.message));
      const { tensors } = await readSafetensors(path);
      console.log(...tensors.get('weight').data, ...readdirSync(${JSON.stringify(folder)}));`;
    const run = (...remount: string[]): string[] => {
      const args = ['--input-type=module', '-e', body, path, ...remount];
      return printedWithMounts('mount -t tmpfs -o size=1m none "$1"', [folder], args).split('\n');
    };
    const kept = '7 7 7 7 7 7 7 7 7 7 x.safetensors';
    expect(run()).to.deep.equal([
      `invalid_file [writeSafetensors] ${path}: ENOSPC: no space left on device, write`,
      kept,
    ]);
    const [message, left] = run('ro');
    expect(message).to.include(`invalid_file [writeSafetensors] ${path}: EROFS: read-only file system, open `);
    expect(left).to.equal(kept);
  });
});
