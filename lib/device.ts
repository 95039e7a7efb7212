import type { DeviceHandle, MemoryStats, OpenedDevice } from '../binding.js';
import { fail, GmrError } from './errors.js';
import { attempt, native, toGmrError } from './native.js';

export type DeviceSpec = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;

/** Where tensors live and passes run. Work is queued on it in order; reading a tensor awaits what was queued before. */
export class Device {
  /** `'cpu'` or `'cuda'`. */
  readonly kind: string;
  /** Which of several devices of the kind. */
  readonly index: number;
  /** What kernels were chosen by: an instruction-set level, e.g. `'x86-64-v3'`; a GPU's architecture, e.g. `'sm_90'`. */
  readonly level: string;
  /** Threads that do the arithmetic at one time. */
  readonly threads: number;
  /** A GPU's name; empty for the processor. */
  readonly name: string;
  /** A GPU's memory; 0 where memory is the host's. */
  readonly memoryBytes: number;
  /** @internal */
  readonly handle: DeviceHandle;

  private constructor(opened: OpenedDevice, index: number) {
    this.kind = opened.kind;
    this.index = index;
    this.level = opened.level;
    this.threads = opened.threads;
    this.name = opened.name;
    this.memoryBytes = opened.memoryBytes;
    this.handle = opened.handle;
  }

  /** @internal */
  static open(kind: string, index = 0): Device {
    try {
      return new Device(native().openDevice(kind, index), index);
    } catch (error) {
      if (error instanceof GmrError) throw error; // there is no native code
      const { code, message } = toGmrError(error);
      throw new GmrError(code, `[device] ${message}`, { cause: error });
    }
  }

  toString(): string {
    if (this.memoryBytes > 0) {
      const gibibytes = (this.memoryBytes / 2 ** 30).toFixed(1);
      return `${this.kind}:${this.index} (${this.name}, ${this.level}, ${gibibytes} GiB)`;
    }
    return `${this.kind} (${this.level}, ${this.threads} thread${this.threads === 1 ? '' : 's'})`;
  }
}

const opened = new Map<string, Device>();

/** The same object for the same device. */
function openOnce(kind: string, index: number): Device {
  const key = `${kind}:${index}`;
  const device = opened.get(key) ?? Device.open(kind, index);
  opened.set(key, device);
  return device;
}

let automatic: Device | undefined;

/** @internal The device of tensors that name none: the first GPU, where it can be used, else the processor. */
export function defaultDevice(): Device {
  if (automatic !== undefined) return automatic;
  try {
    automatic = openOnce('cuda', 0);
  } catch (error) {
    const { code } = error as GmrError;
    if (code !== 'backend_missing' && code !== 'device_unavailable') throw error;
    automatic = openOnce('cpu', 0);
  }
  return automatic;
}

/** @internal Accepts what `{ device }` options accept. */
export function resolveDevice(device: Device | DeviceSpec | undefined): Device {
  if (device instanceof Device) return device;
  if (device === undefined || device === 'auto') return defaultDevice();
  const match = typeof device === 'string' ? /^(cpu|cuda(?::(\d{1,4}))?)$/.exec(device) : null;
  if (match === null) return fail('device', 'device', "be 'auto', 'cpu', 'cuda', 'cuda:<index>' or a Device", device);
  return match[1] === 'cpu' ? openOnce('cpu', 0) : openOnce('cuda', Number(match[2] ?? 0));
}

/**
 * Opens a device; opened once, the same object is returned again. Printing it (`String(device)`) says which one it is.
 * @param spec `'cpu'`, `'cuda'` (the first GPU), `'cuda:1'`, or `'auto'`: the first GPU, where it can be used, else the
 *   processor; found out once. The CPU level is the best that the processor supports; the environment variable
 *   GMR_CPU_LEVEL forces one (`x86-64-v2`, `x86-64-v3`, `x86-64-v4`; `portable` on other processors), GMR_NUM_THREADS says how many
 *   threads (default: the cores, or what a container's quota pays for), GMR_MEMORY_LIMIT how many bytes (`4G`, `500M`) the tensors of all
 *   threads may take (default: nine tenths of the machine's or the container's memory; of a GPU, all).
 * @throws GmrError `backend_missing` where the package was built without CUDA, `device_unavailable` where there is no
 *   driver, an old one, no such GPU, or one that the kernels were not built for. The message says what to do.
 */
export async function device(spec: DeviceSpec = 'auto'): Promise<Device> {
  return resolveDevice(spec);
}

/** What tensors hold on a device: live buffers and bytes, the peak, the allocator's reserve, and the limit of all. */
export function memory(device?: Device): MemoryStats {
  const { handle } = resolveDevice(device);
  return attempt(() => native().memory(handle));
}

/** Gives memory that no tensor uses back to the system: for the end of a phase, not for each step. */
export function emptyCache(device?: Device): void {
  const { handle } = resolveDevice(device);
  attempt(() => native().emptyCache(handle));
}

/** Starts the count of `memory().peakBytes` anew. */
export function resetPeakMemory(device?: Device): void {
  const { handle } = resolveDevice(device);
  attempt(() => native().resetPeak(handle));
}
