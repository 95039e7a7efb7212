import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, freemem, release, totalmem } from 'node:os';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../native.js';
import { cLibrary } from '../native_search.js';
import type { ProbeLine } from './probe.js';
import type { BackendCheck, DoctorReport } from './report.js';

// Beside this file, and in the package beside the bundle that has this code.
const probePath = fileURLToPath(new URL('./probe.js', import.meta.url));
const probeLimitMs = 120_000; // the first use of a GPU may compile for it

// What the CPU levels consist of, and what their kernels would gain from.
const featuresOfInterest =
  'sse4_2 avx avx2 fma f16c bmi2 avx512f avx512bw avx512cd avx512dq avx512vl avx512_vnni amx_tile asimd asimdhp sve sve2';

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

interface ProbeEnd {
  lines: ProbeLine[];
  /** How it ended, where not as it should. */
  failure: string | null;
}

/** Runs lib/doctor/probe.ts in a process of its own, without the devices of these names. */
function runProbe(kind: string, tried: readonly string[]): Promise<ProbeEnd> {
  return new Promise((resolve) => {
    let output = '';
    let errors = '';
    const end = (failure: string | null): void => {
      const whole = output.slice(0, output.lastIndexOf('\n') + 1);
      const lines = whole.split('\n').filter((line) => line !== '');
      resolve({ lines: lines.map((line) => JSON.parse(line) as ProbeLine), failure });
    };
    const notStarted = (error: Error): void => end(`a process to try it in could not be started: ${error.message}`);
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [probePath, kind, ...tried], {
        // What was found comes by a pipe of its own: anything that is preloaded may print.
        stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
        timeout: probeLimitMs,
        killSignal: 'SIGKILL',
      });
    } catch (error) {
      return notStarted(error as Error); // Node's permission model, for one
    }
    child.on('error', notStarted);
    if (child.pid === undefined) return; // which has no pipes either: the error comes
    const found = child.stdio[3] as Readable;
    found.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
    child.on('close', (code, signal) => {
      if (code === 0) return end(null);
      const how = signal === null ? `exit code ${code}` : signal;
      const late = signal === 'SIGKILL' ? ` (after at most ${probeLimitMs / 1000} s)` : '';
      const last = errors.trim().split('\n').slice(-5).join('\n');
      end(`the process that tried it ended with ${how}${late}${last === '' ? '' : `:\n${last}`}`);
    });
  });
}

function pick<K extends string>(lines: ProbeLine[], key: K): Extract<ProbeLine, Record<K, unknown>>[] {
  return lines.filter((line): line is Extract<ProbeLine, Record<K, unknown>> => key in line);
}

/**
 * What probes of a kind found, with a failed check for what one was at when it ended before its time; the next goes on behind that.
 */
async function probe(kind: string): Promise<{ lines: ProbeLine[]; checks: BackendCheck[] }> {
  const lines: ProbeLine[] = [];
  const checks: BackendCheck[] = [];
  for (const tried: string[] = []; ;) {
    const end = await runProbe(kind, tried);
    lines.push(...end.lines);
    checks.push(...pick(end.lines, 'check').map(({ check }) => check));
    if (end.failure === null) return { lines, checks };
    const started = pick(end.lines, 'started');
    const { started: name, file } = started.at(-1) ?? { started: kind, file: undefined };
    const detail = file === undefined ? end.failure : `${file}: ${end.failure}`;
    if (file !== undefined && pick(end.lines, 'addon').length === 0) lines.push({ missing: detail });
    else checks.push({ kind, name, status: 'failed', detail });
    if (name === kind) return { lines, checks }; // it came to no device
    tried.push(...started.map(({ started: name }) => name));
  }
}

/** The level that a device takes, by the loader's rule: the one that GMR_CPU_LEVEL names, else the best. */
function chooseLevel(lines: ProbeLine[]): { level: DoctorReport['cpuLevel']; checks: BackendCheck[] } {
  const states = pick(lines, 'level').map(({ level }) => level);
  const levels = (pick(lines, 'levels')[0]?.levels ?? []).map((known) => ({
    ...known,
    // Of one that took its process down nothing is known that stands against it: a device takes it.
    ...(states.find(({ name }) => name === known.name) ?? { code: '', problem: '' }),
  }));
  const checks = levels.flatMap(({ name, library, code, problem }): BackendCheck[] => {
    if (code === '') return [];
    const status = code === 'backend_broken' ? 'failed' : 'unavailable';
    return [{ kind: 'cpu', name, status, detail: `${library}: ${problem}` }];
  });
  const forced = process.env['GMR_CPU_LEVEL'] ?? '';
  const usable = levels.filter(({ problem }) => problem === '');
  if (forced === '') {
    const [best] = usable;
    if (best === undefined) return { level: null, checks };
    const better = levels.slice(0, levels.indexOf(best)).filter(({ code }) => code !== 'device_unavailable');
    const reason = better.some(({ code }) => code === 'backend_broken')
      ? 'the best of those that load'
      : better.length > 0
        ? `the best that this build has; the processor supports ${better[0]!.name}`
        : 'the best that the processor supports';
    return { level: { name: best.name, reason }, checks };
  }
  if (usable.some(({ name }) => name === forced))
    return { level: { name: forced, reason: 'GMR_CPU_LEVEL asks for it' }, checks };
  const names = usable.map(({ name }) => name).join(', ') || 'none';
  const reasons = checks.flatMap(({ name, detail }) => (name === forced ? [`\n${detail}`] : []));
  const detail = `GMR_CPU_LEVEL asks for it; expected one that can be used here: ${names}${reasons.join('')}`;
  return {
    level: null,
    checks:
      levels.length === 0
        ? []
        : [...checks.filter(({ name }) => name !== forced), { kind: 'cpu', name: forced, status: 'failed', detail }],
  };
}

function driverVersion(): string | null {
  return /Kernel Module(?: for \S+)?\s+([\d.]+)/.exec(readText('/proc/driver/nvidia/version'))?.[1] ?? null;
}

function processor(): DoctorReport['processor'] {
  const listed = (/^(?:flags|Features)\s*:(.*)$/m.exec(readText('/proc/cpuinfo'))?.[1] ?? '').split(/\s+/);
  return {
    model: cpus()[0]?.model.trim() ?? 'unknown',
    architecture: process.arch,
    features: featuresOfInterest.split(' ').filter((feature) => listed.includes(feature)),
  };
}

/** @internal `gpuKind` is `cuda`, or `cuda_sim` in tests. */
export async function examine(gpuKind: string): Promise<DoctorReport> {
  const [cpu, gpu] = await Promise.all([probe('cpu'), probe(gpuKind)]);
  const { level, checks } = chooseLevel(cpu.lines);
  const missing = pick(cpu.lines, 'missing')[0]?.missing ?? null;
  const addon = pick(cpu.lines, 'addon')[0]?.addon;
  const backends = missing === null ? [...cpu.checks, ...checks, ...gpu.checks] : [];
  const working = backends.filter(({ status }) => status === 'works');
  const works = (wanted?: string): boolean => working.some(({ name }) => name === wanted);
  const limit = process.constrainedMemory();
  const opened = pick(cpu.lines, 'device')[0]?.device;
  return {
    ok: working.length > 0 && backends.every(({ status }) => status !== 'failed'),
    versions: {
      gmr: packageVersion(),
      node: process.version,
      nodeApi: process.versions['napi'] ?? 'unknown',
      system: `${process.platform}-${process.arch} ${release()}`,
      cLibrary: cLibrary(),
      nvidiaDriver: driverVersion(),
    },
    addon: { path: addon?.path ?? null, build: addon?.build ?? null, problem: missing },
    processor: processor(),
    memory: {
      totalBytes: totalmem(),
      freeBytes: freemem(),
      // Without a limit the system gives a number beyond all memory, or 0.
      limitBytes: limit > 0 && limit < totalmem() ? limit : null,
      tensorBytes: opened?.tensorBytes ?? null,
      requested: process.env['GMR_MEMORY_LIMIT'] ?? null,
    },
    threads: {
      used: opened?.threads ?? null,
      available: availableParallelism(),
      requested: process.env['GMR_NUM_THREADS'] ?? null,
    },
    cpuLevel: level,
    defaultDevice: works(`${gpuKind}:0`) ? `${gpuKind}:0` : works(level?.name) ? 'cpu' : null,
    backends,
  };
}
