import type { DeviceHandle, MemoryStats } from '../binding.js';
import { fail } from './errors.js';
import { attempt, native } from './native.js';

export type DeviceSpec = 'auto' | 'cpu';

/** Where tensors live and passes run. Work is queued on it in order; reading a tensor awaits what was queued before. */
export class Device {
  /** `'cpu'`. */
  readonly kind: string;
  /** Instruction-set level that was chosen, e.g. `'x86-64-v3'`. */
  readonly level: string;
  /** Threads that do the arithmetic. */
  readonly threads: number;
  /** @internal */
  readonly handle: DeviceHandle;

  private constructor(kind: string, level: string, threads: number, handle: DeviceHandle) {
    this.kind = kind;
    this.level = level;
    this.threads = threads;
    this.handle = handle;
  }

  /** @internal */
  static open(kind: string): Device {
    const opened = attempt(() => native().openDevice(kind));
    return new Device(opened.kind, opened.level, opened.threads, opened.handle);
  }

  toString(): string {
    return `${this.kind} (${this.level}, ${this.threads} thread${this.threads === 1 ? '' : 's'})`;
  }
}

let cpu: Device | undefined;

/** @internal The device of tensors that name none. */
export function defaultDevice(): Device {
  return (cpu ??= Device.open('cpu'));
}

/** @internal Accepts what `{ device }` options accept. */
export function resolveDevice(device: Device | DeviceSpec | undefined): Device {
  if (device instanceof Device) return device;
  if (device === undefined || device === 'auto' || device === 'cpu') return defaultDevice();
  return fail('device', 'device', "be 'auto', 'cpu' or a Device", device);
}

/**
 * Opens a device; opened once, the same object is returned again.
 * @param spec `'auto'` (the best there is) or `'cpu'`. The CPU level is the best that the processor supports; the environment
 *   variable GMR_CPU_LEVEL forces one (`x86-64-v2`, `x86-64-v3`, `x86-64-v4`; `portable` on other processors), GMR_NUM_THREADS limits the threads.
 */
export async function device(spec: DeviceSpec = 'auto'): Promise<Device> {
  return resolveDevice(spec);
}

/** What tensors hold on a device: live buffers and bytes, the peak, and the allocator's reserve. */
export function memory(device?: Device): MemoryStats {
  const { handle } = resolveDevice(device);
  return attempt(() => native().memory(handle));
}

/** Gives memory that no tensor uses back to the system. */
export function emptyCache(device?: Device): void {
  const { handle } = resolveDevice(device);
  attempt(() => native().emptyCache(handle));
}

/** Starts the count of `memory().peakBytes` anew. */
export function resetPeakMemory(device?: Device): void {
  const { handle } = resolveDevice(device);
  attempt(() => native().resetPeak(handle));
}
