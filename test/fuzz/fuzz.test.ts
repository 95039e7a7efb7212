// Random input: each program of this folder in a process of its own, so that a crash or a hang is reported with the
// seed of its case. GMR_FUZZ_SEED=<first seed> and GMR_FUZZ_COUNT=<cases of each program> repeat a case, or run for
// hours.
import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { rawBinding } from '../support/raw_binding.js';

/** Longer than any case takes, on a busy machine and under a sanitizer too. */
const stallMs = 120_000;

interface Campaign {
  program: string;
  /** Cases in `npm test`: what some seconds allow. */
  count: number;
  /** Of Node. */
  flags?: readonly string[];
  arguments?: readonly string[];
  environment?: Record<string, string>;
}

function setting(name: string, standard: number): number {
  const text = process.env[name] ?? '';
  if (text === '') return standard;
  if (!/^\d{1,9}$/.test(text)) throw new Error(`expected ${name} to be a number below 10^9, received ${text}`);
  return Number(text);
}

/** The outcome of each case, by its seed; or an error that names the case that failed. */
function outcomes(campaign: Campaign): Promise<string[]> {
  const { program } = campaign;
  const first = setting('GMR_FUZZ_SEED', 1);
  const count = setting('GMR_FUZZ_COUNT', campaign.count);
  const path = fileURLToPath(new URL(`${program}.js`, import.meta.url));
  return new Promise((resolve, reject) => {
    const args = ['--expose-gc', '--enable-source-maps', ...(campaign.flags ?? []), path, String(first), String(count)];
    const child = spawn(process.execPath, [...args, ...(campaign.arguments ?? [])], {
      env: { ...process.env, ...campaign.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    let ending = '';
    const watchdog = setTimeout(() => {
      ending = `did not end within ${stallMs / 1000} s`;
      child.kill('SIGKILL');
    }, stallMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      watchdog.refresh();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(watchdog);
      const lines = stdout.split('\n').filter((line) => /^\d+ /.test(line));
      if (code === 0 && lines.length === count) return resolve(lines);
      const seed = lines.at(-1)?.split(' ')[0] ?? first;
      ending ||= `ended with ${signal ?? `code ${code}`}`;
      const repeat = `GMR_FUZZ_SEED=${seed} GMR_FUZZ_COUNT=1 npm test -- --grep 'fuzz: ${program}'`;
      reject(new Error(`case ${seed} ${ending}; repeat it with\n  ${repeat}\n${stderr.slice(-4000)}`));
    });
  });
}

describe('fuzz', function () {
  this.timeout(0); // the watchdog above looks after it

  it('fuzz: addon - every function, arguments of every kind', async () => {
    const lines = await outcomes({ program: 'addon', count: 3000 });
    if (lines.length < 3000) return;
    // A case says little where the first check refuses it.
    expect(lines.filter((line) => line.includes(': done')).length).to.be.greaterThan(lines.length / 4);
    const done = Object.keys(rawBinding()).map(
      (name) => [name, lines.filter((line) => line.includes(` ${name}: done`)).length] as const,
    );
    // One in some hundred cases is of one function; the seeds are the same in every run.
    expect(done.filter(([, count]) => count < 3)).to.deep.equal([]);
  });

  it('fuzz: ops - random shapes and options against the oracles, for any number of threads', async () => {
    const campaign = { program: 'ops', count: 800 };
    const [one, all] = await Promise.all([
      outcomes({ ...campaign, arguments: ['hash'], environment: { GMR_NUM_THREADS: '1' } }),
      outcomes(campaign),
    ]);
    if (availableParallelism() === 1) console.log('Threads are not compared: this machine has one core');
    expect(one).to.deep.equal(all);
  });

  it('fuzz: readers - damaged files and command lines', async () => {
    // Without limits V8's heap grows to 50 MiB in ten thousand cases, which would hide what a case takes.
    const flags = ['--max-semi-space-size=1', '--max-old-space-size=32'];
    const lines = await outcomes({ program: 'readers', count: 6000, flags });
    if (lines.length < 6000) return;
    for (const outcome of [
      'safetensors: read, loaded',
      'safetensors: read, state_dict_mismatch',
      'checkpoint: read, loaded',
      'checkpoint: read, invalid_argument',
      'checkpoint: read, state_dict_mismatch',
      'generator: goes on',
      'idx: read',
      'doctor, refused',
      'version, refused',
      'mistake, read',
    ]) {
      expect(
        lines.some((line) => line.endsWith(outcome)),
        outcome,
      ).to.equal(true);
    }
  });
});
