// A process of its own that tries the backends of one kind: `node probe.js cpu`; names of devices behind that are left out. A driver or a kernel that takes the
// process down takes no application with it. Writes a JSON object a line to descriptor 3: what was found, and before each
// library and device that it starts, the name and the file, so that an end without warning can be laid to it.
import { writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LibraryState } from '../../binding.js';
import { Device, memory } from '../device.js';
import type { GmrError } from '../errors.js';
import { addonPath, native, toGmrError } from '../native.js';
import type { BackendCheck } from './report.js';
import { selfTest } from './self_test.js';

export type ProbeLine =
  | { addon: { path: string; build: string } }
  | { missing: string }
  | { levels: { name: string; library: string }[] }
  | { level: { name: string } & LibraryState }
  | { started: string; file: string }
  | { device: { threads: number; tensorBytes: number } }
  | { check: BackendCheck };

// Rounding alone: the sums have at most 75 terms. Tests hold every op to it.
const tolerance = 1e-5;

const [kind, ...tried] = process.argv.slice(2) as [string, ...string[]];

/** At once, whatever happens next. */
function report(line: ProbeLine): void {
  writeSync(3, `${JSON.stringify(line)}\n`);
}

/** What happens next is laid to this library, which lies beside the addon. */
function start(name: string, library: string): void {
  report({ started: name, file: join(dirname(addonPath()), library) });
}

async function check(name: string, build: string, open: () => Device): Promise<void> {
  try {
    const device = open();
    report({ device: { threads: device.threads, tensorBytes: memory(device).limitBytes } });
    const error = await selfTest(device);
    const works = error <= tolerance;
    const detail = works
      ? String(device)
      : `${String(device)}: expected the self-test's error to be at most ${tolerance}`;
    const status = works ? 'works' : 'failed';
    report({ check: { kind, name, status, detail, error, build } });
  } catch (error) {
    const { code, message } = error as GmrError;
    const status = code === 'device_unavailable' ? 'unavailable' : 'failed';
    report({ check: { kind, name, status, detail: message, build } });
  }
}

async function probeCpu(): Promise<void> {
  const levels = native().cpuLevels();
  report({ levels });
  for (const { name, library } of levels) {
    if (tried.includes(name)) continue;
    start(name, library);
    const state = native().tryCpuLevel(name);
    report({ level: { name, ...state } });
    if (state.problem !== '') continue;
    await check(name, state.build, () => {
      process.env['GMR_CPU_LEVEL'] = name;
      return Device.open('cpu');
    });
  }
}

async function probeGpus(): Promise<void> {
  const library = `libgmr_${kind}.so`;
  start(kind, library);
  const build = native().build(kind);
  let found;
  try {
    found = native().deviceCount(kind);
  } catch (error) {
    const { code, message } = toGmrError(error);
    const status = code === 'backend_missing' ? 'unavailable' : 'failed';
    report({ check: { kind, name: kind, status, detail: message, build } });
    return;
  }
  const { count, problem } = found;
  if (count === 0) report({ check: { kind, name: kind, status: 'unavailable', detail: problem, build } });
  for (let index = 0; index < count; ++index) {
    const name = `${kind}:${index}`;
    if (tried.includes(name)) continue;
    start(name, library);
    await check(name, build, () => Device.open(kind, index, true));
  }
}

async function probe(): Promise<void> {
  try {
    const path = addonPath();
    report({ started: kind, file: path });
    report({ addon: { path, build: native().build() } });
  } catch (error) {
    report({ missing: (error as Error).message });
    return;
  }
  await (kind === 'cpu' ? probeCpu() : probeGpus());
}

await probe();
