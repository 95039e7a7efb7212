// `npm run bench`: measures the machine's peaks, then every op's cases at each number of threads, and prints the figures.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { help, parseOptions, UsageError, type Options } from './options.js';
import type { BenchCase } from './support/cases.js';
import {
  agree,
  best,
  describeMachine,
  keptOnCores,
  measurePeaks,
  type Machine,
  type Peaks,
} from './support/machine.js';
import { installPeer } from './support/peer.js';
import {
  passResults,
  peerLines,
  resultLines,
  targetLines,
  targetResults,
  type CaseTimes,
  type PassResult,
  type TargetResult,
} from './support/report.js';
import { loadSuite } from './support/suites.js';
import { number3 } from './support/table.js';
import type { Task } from './worker.js';

/** Runs the cases in a process of their own with this many threads. */
async function timeCases(task: Task, threads: number, onCase: (done: number) => void): Promise<CaseTimes[]> {
  const program = fileURLToPath(new URL('worker.js', import.meta.url));
  const [command, ...args] = [...keptOnCores(threads), process.execPath, program, JSON.stringify(task)];
  const worker = spawn(command, args, {
    env: { ...process.env, GMR_NUM_THREADS: String(threads) },
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  const times: CaseTimes[] = [];
  worker.on('message', (message) => onCase(times.push(message as CaseTimes)));
  const [code, signal] = (await once(worker, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`the process that timed ${task.op} ended with ${signal ?? `status ${code}`}`);
  return times;
}

interface OpResult {
  op: string;
  threads: number;
  results: PassResult[];
  peers: { case: string; peers: CaseTimes['peers'] }[];
  targets: TargetResult[];
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function benchOp(op: string, cases: readonly BenchCase[], options: Options, peaks: Peaks): Promise<OpResult> {
  const { threads } = peaks;
  const title = `${op}, ${threads} thread${threads === 1 ? '' : 's'}`;
  progress(`${title} ...`);
  const task = { op, cases: cases.map(({ name }) => name), rounds: options.rounds, withPeer: options.peer };
  const times = await timeCases(task, threads, (done) => progress(`${title}: ${done} of ${cases.length} cases`));
  progress('');
  const byCase = times.map((time, i) => passResults(cases[i]!, time, peaks));
  const targets = byCase.flatMap((results, i) => targetResults(cases[i]!, results));
  const results = byCase.flat();
  console.log(`\n${title}\n`);
  for (const lines of [resultLines(results), peerLines(times), targetLines(targets)]) {
    if (lines.length > 0) console.log(`${lines.join('\n')}\n`);
  }
  return { op, threads, results, peers: times.map(({ name, peers }) => ({ case: name, peers })), targets };
}

function printMachine(machine: Machine, peaks: readonly Peaks[], peer: string): void {
  const { cpu, cores, level, caches, node, commit } = machine;
  console.log(`${cpu}, ${cores} cores, ${caches.join(', ')}; ${level} (${machine.flags.join(' ')})`);
  console.log(`Node ${node}, commit ${commit ?? 'unknown'}; peer: ${peer}`);
  for (const { threads, fmaGflops, addGadds, copyGBs, triadGBs } of peaks) {
    console.log(
      `peaks, ${threads} thread${threads === 1 ? ' ' : 's'}: FMA ${number3(fmaGflops)} GFLOP/s, additions ${number3(addGadds)} G/s, ` +
        `copy ${number3(copyGBs)} GB/s, triad ${number3(triadGBs)} GB/s`,
    );
  }
}

/** @returns The exit code. */
async function main(options: Options): Promise<number> {
  const selected = [];
  for (const op of options.ops) {
    const suite = await loadSuite(op);
    const cases = suite.cases.filter(({ name }) => name.includes(options.cases));
    if (cases.length > 0) selected.push({ op, cases });
  }
  if (selected.length === 0) throw new UsageError(`expected --cases to name a case, received '${options.cases}'`);

  let peer = 'not asked for';
  if (options.peer && selected.some(({ cases }) => cases.some(({ peers }) => peers !== undefined))) {
    const found = installPeer((line) => console.error(line));
    options.peer = 'version' in found;
    peer = 'version' in found ? found.version : `none (${found.trouble})`;
  }
  const machine = describeMachine();
  const before = options.threads.map((threads) => measurePeaks(machine.level, threads));
  // A second time, each after the others: if a figure differs, something else was running.
  const again = options.threads.map((threads) => measurePeaks(machine.level, threads));
  const peaks = before.map((first, i) => best(first, again[i]!));
  printMachine(machine, peaks, peer);
  if (before.some((first, i) => !agree(first, again[i]!))) {
    console.log(
      'note: two measurements of the peaks differ by more than 5 %: this machine is busy, and figures are not to be trusted',
    );
  }

  const ops: OpResult[] = [];
  for (const { op, cases } of selected) {
    for (const peak of peaks) ops.push(await benchOp(op, cases, options, peak));
  }
  if (options.json !== undefined) {
    const partial = `${options.json}.tmp`;
    writeFileSync(partial, `${JSON.stringify({ machine, peer, peaks, rounds: options.rounds, ops }, null, 2)}\n`);
    renameSync(partial, options.json);
  }
  const targets = ops.flatMap((op) => op.targets);
  const missed = targets.filter(({ pass }) => !pass).length;
  if (missed > 0) console.log(`${missed} of ${targets.length} targets missed`);
  return missed > 0 ? 1 : 0;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) console.log(help);
  else process.exitCode = await main(options);
} catch (error) {
  const isUsage = error instanceof UsageError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');
  console.error(`bench: ${(error as Error).message.split('\n')[0]}`);
  process.exitCode = isUsage ? 2 : 1;
}
