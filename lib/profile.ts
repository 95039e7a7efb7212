import type { DeviceHandle } from '../binding.js';
import { type Device, resolveDevice } from './device.js';
import { Described, expectFunction, fail } from './errors.js';
import { attempt, native, toGmrError } from './native.js';

/** Time that one pass took under one label, summed over its calls. */
export interface ProfileRow {
  /** The module that queued the pass, e.g. `layer1.0.conv1`; empty outside of modules. */
  label: string;
  pass: string;
  count: number;
  ms: number;
}

const labels: string[] = [''];
const labelIds = new Map<string, number>([['', 0]]);
const maxLabels = 65_535;
let current = 0;
let profiling = false;

/** @internal Whether `profile` runs now. */
export function isProfiling(): boolean {
  return profiling;
}

/** @internal The label that passes are queued under now. */
export function currentLabel(): number {
  return current;
}

/** @internal Queues what `fn` queues under another label. */
export function withLabel<T>(label: string | number, fn: () => T): T {
  if (!profiling) return fn();
  const before = current;
  if (typeof label === 'number') {
    current = label;
  } else {
    let id = labelIds.get(label);
    if (id === undefined && labels.length <= maxLabels) {
      id = labels.push(label) - 1;
      labelIds.set(label, id);
    }
    current = id ?? 0;
  }
  try {
    return fn();
  } finally {
    current = before;
  }
}

/** When what is queued has been done. */
async function drained(handle: DeviceHandle): Promise<void> {
  const nothing = attempt(() => native().createBuffer(handle, 0));
  try {
    await native().read(handle, nothing);
  } catch (error) {
    throw toGmrError(error);
  } finally {
    native().dispose(nothing);
  }
}

/**
 * Measures the time of every pass that `fn` queues and awaits on `device`, by module and pass.
 * Await inside `fn` what it computes (`data()`, `item()`): work still queued when it returns is not counted, nor is
 * what was queued before, which is awaited first (and whose failure, if nobody has read it, this call rejects with).
 */
export async function profile(device: Device, fn: () => Promise<unknown>): Promise<ProfileRow[]> {
  if (profiling) fail('profile', 'profile()', 'run once at a time', new Described('a call inside another'));
  const { handle } = resolveDevice(device);
  expectFunction('profile', 'fn', fn);
  profiling = true;
  let rows;
  try {
    await drained(handle);
    attempt(() => native().profileStart(handle));
    await fn();
  } finally {
    profiling = false;
    rows = native().profileStop(handle);
  }
  return rows.map((row) => ({ ...row, label: labels[row.label] ?? '' }));
}
