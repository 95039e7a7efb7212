// What the machine is, and what it can do at most by the same instruction-set level as the kernels.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { usableCpuLevels } from '../../lib/native.js';
import { beyondCachesBytes, type Work } from './cases.js';
import { repository } from './paths.js';

/** Of all threads together; printed by bench/native/machine_peaks.cc. */
export interface Peaks {
  level: string;
  threads: number;
  fmaGflops: number;
  addGadds: number;
  copyGBs: number;
  triadGBs: number;
}

export interface Machine {
  cpu: string;
  cores: number;
  level: string;
  flags: string[];
  caches: string[];
  memoryGB: number;
  kernel: string;
  node: string;
  commit: string | null;
  date: string;
}

const flagsOfInterest = [
  'sse4_2',
  'avx',
  'fma',
  'avx2',
  'avx512f',
  'avx512bw',
  'avx512vl',
  'avx512_bf16',
  'asimd',
  'sve',
];

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
}

function caches(): string[] {
  const found: string[] = [];
  for (let index = 0; ; ++index) {
    const folder = `/sys/devices/system/cpu/cpu0/cache/index${index}`;
    if (!existsSync(folder)) return found;
    const kind = readText(join(folder, 'type'));
    if (kind !== 'Instruction') found.push(`L${readText(join(folder, 'level'))} ${readText(join(folder, 'size'))}`);
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: repository, stdio: 'pipe' }).toString().trim();
}

function commit(): string | null {
  try {
    const changes = git('status', '--porcelain', '--untracked-files=no');
    return git('rev-parse', '--short', 'HEAD') + (changes === '' ? '' : ' with changes');
  } catch {
    return null;
  }
}

/** The level whose library a device will be, by the same rule as the loader. */
function cpuLevel(): string {
  return process.env['GMR_CPU_LEVEL'] || usableCpuLevels()[0]!;
}

export function describeMachine(): Machine {
  const listed = (/^(?:flags|Features)\s*:(.*)$/m.exec(readText('/proc/cpuinfo'))?.[1] ?? '').split(/\s+/);
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    level: cpuLevel(),
    flags: flagsOfInterest.filter((flag) => listed.includes(flag)),
    caches: caches(),
    memoryGB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    commit: commit(),
    date: new Date().toISOString(),
  };
}

function peaksProgram(level: string): string {
  const program = join(repository, 'build', 'Release', `gmr_peaks_${level.replace('x86-64-', '')}`);
  if (!existsSync(program)) {
    throw new Error(`expected ${program} to be there; \`npm run build\` makes it (CMake option GMR_BENCH)`);
  }
  return program;
}

/** Runs the program that measures the peaks; its figures are those of an otherwise idle machine. */
export function measurePeaks(level: string, threads: number): Peaks {
  const [command, ...args] = [...keptOnCores(threads), peaksProgram(level), String(threads)];
  return JSON.parse(execFileSync(command, args).toString()) as Peaks;
}

/**
 * The multiply-adds of this moment: half a millisecond of them between the samples of a case. The processor's clock depends on
 * what it has been doing, so that only figures next to each other can be compared.
 */
export interface Yardstick {
  fmaGflops(): Promise<number>;
  close(): void;
}

export function startYardstick(threads: number): Yardstick {
  const child = spawn(peaksProgram(cpuLevel()), [String(threads), 'now'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  return {
    async fmaGflops() {
      const answer = once(lines, 'line') as Promise<[string]>;
      child.stdin.write('\n');
      return Number((await answer)[0]);
    },
    close() {
      child.stdin.end();
    },
  };
}

/**
 * What to put before a command so that it stays on as many cores as it has threads: the yardstick must meet the core that has been
 * working, whose clock is not that of an idle one. Processors that share a core come last. Empty where that is every processor,
 * or where there is no taskset (Linux has it).
 */
export function keptOnCores(threads: number): string[] {
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readText('/proc/self/status'))?.[1] ?? '';
  const cores = allowed.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  });
  if (cores.length <= threads || spawnSync('taskset', ['--version']).error !== undefined) return [];
  const siblings = (core: number): string =>
    readText(`/sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`).trim() || String(core);
  const firstOfEach = new Map(cores.toReversed().map((core) => [siblings(core), core]));
  const apart = [...firstOfEach.values()];
  const ordered = [...apart, ...cores.filter((core) => !apart.includes(core))];
  return ['taskset', '--cpu-list', ordered.slice(0, threads).join()];
}

/** The limits at a moment when multiply-adds reach this: arithmetic follows the clock, memory does not. */
export function peaksAt(fmaGflops: number, peaks: Peaks): Peaks {
  return { ...peaks, fmaGflops, addGadds: (peaks.addGadds * fmaGflops) / peaks.fmaGflops };
}

/** The better of two measurements of the same limits: noise only ever subtracts. */
export function best(a: Peaks, b: Peaks): Peaks {
  return {
    ...a,
    fmaGflops: Math.max(a.fmaGflops, b.fmaGflops),
    addGadds: Math.max(a.addGadds, b.addGadds),
    copyGBs: Math.max(a.copyGBs, b.copyGBs),
    triadGBs: Math.max(a.triadGBs, b.triadGBs),
  };
}

function isClose(x: number, y: number): boolean {
  return Math.min(x, y) > 0.95 * Math.max(x, y);
}

/** Whether two measurements of the arithmetic peaks are the same but for a few percent. */
export function agree(a: Peaks, b: Peaks): boolean {
  return isClose(a.fmaGflops, b.fmaGflops) && isClose(a.addGadds, b.addGadds);
}

/** The least time that the work takes at the machine's limits; undefined where no measured limit applies. */
export function floorMs(work: Work, bound: 'arithmetic' | 'memory', peaks: Peaks): number | undefined {
  if (bound === 'arithmetic') {
    return work.flops / peaks.fmaGflops / 1e6 + (work.additions ?? 0) / peaks.addGadds / 1e6;
  }
  if (work.bytes < beyondCachesBytes) return undefined;
  return work.bytes / Math.max(peaks.copyGBs, peaks.triadGBs) / 1e6;
}
