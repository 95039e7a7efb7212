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
    if (opened.passedOver) warnOfBroken(this.level, opened.passedOver);
  }

  /** @internal Waits for the driver where it is the first to use it. */
  static open(kind: string, index = 0, check = false): Device {
    try {
      return new Device(native().openDeviceSync(kind, index, check), index);
    } catch (error) {
      throw openError(error);
    }
  }

  /** @internal The same off the event loop. */
  static async openLater(kind: string, index: number, check: boolean): Promise<Device> {
    try {
      return new Device(await native().openDevice(kind, index, check), index);
    } catch (error) {
      throw openError(error);
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

let hasWarned = false;

/** Once, since it is the same libraries for every device. */
function warnOfBroken(level: string, libraries: string): void {
  if (hasWarned) return;
  hasWarned = true;
  const message = `[device] expected better CPU libraries than that of ${level} to load, which is used instead:${libraries}`;
  process.emitWarning(message, {
    type: 'GmrWarning',
    code: 'backend_broken',
    detail: '`npx --no -- gmr doctor` tests all that there is',
  });
}

function openError(error: unknown): GmrError {
  if (error instanceof GmrError) return error; // there is no native code
  const { code, message } = toGmrError(error);
  return new GmrError(code, `[device] ${message}`, { cause: error });
}

interface Place {
  kind: 'cpu' | 'cuda';
  index: number;
}

const opened = new Map<string, Device>();
const opening = new Map<string, Promise<Device>>();

const keyOf = ({ kind, index }: Place): string => `${kind}:${index}`;

/** The same object for the same device. */
function keep(place: Place, device: Device): Device {
  const kept = opened.get(keyOf(place)) ?? device;
  opened.set(keyOf(place), kept);
  return kept;
}

function openOnce(place: Place, check = false): Device {
  return opened.get(keyOf(place)) ?? keep(place, Device.open(place.kind, place.index, check));
}

async function openOnceLater(place: Place, check = false): Promise<Device> {
  if (place.kind === 'cpu' || opened.has(keyOf(place))) return openOnce(place);
  const key = `${keyOf(place)} ${check}`;
  const promise = opening.get(key) ?? Device.openLater(place.kind, place.index, check);
  opening.set(key, promise);
  try {
    return keep(place, await promise);
  } finally {
    opening.delete(key);
  }
}

const processor: Place = { kind: 'cpu', index: 0 };
const firstGpu: Place = { kind: 'cuda', index: 0 };

let automatic: Device | undefined;

/** The processor as the automatic device, where `error` is a reason not to take the GPU: with a warning if that should work. */
function processorAfter(error: unknown): Device {
  const { code, message } = error as GmrError;
  const isBroken = code === 'backend_broken' || code === 'device_failure';
  if (!isBroken && code !== 'backend_missing' && code !== 'device_unavailable') throw error;
  if (automatic !== undefined) return automatic;
  automatic = openOnce(processor);
  if (isBroken) {
    const detail = "'auto' takes the processor instead, `npx --no -- gmr doctor` tests all that there is";
    process.emitWarning(message, { type: 'GmrWarning', code, detail });
  }
  return automatic;
}

/** @internal The device of tensors that name none: the first GPU if it passes its self-check, else the processor. */
export function defaultDevice(): Device {
  if (automatic !== undefined) return automatic;
  try {
    automatic = openOnce(firstGpu, true);
  } catch (error) {
    automatic = processorAfter(error);
  }
  return automatic;
}

async function defaultDeviceLater(): Promise<Device> {
  const found = automatic ?? (await openOnceLater(firstGpu, true).catch(processorAfter));
  automatic ??= found; // a tensor may have asked in the meantime
  return automatic;
}

function placeOf(spec: DeviceSpec): Place | 'auto' {
  if (spec === 'auto') return spec;
  const match = typeof spec === 'string' ? /^(cpu|cuda(?::(\d{1,4}))?)$/.exec(spec) : null;
  if (match === null) return fail('device', 'device', "be 'auto', 'cpu', 'cuda', 'cuda:<index>' or a Device", spec);
  return match[1] === 'cpu' ? processor : { kind: 'cuda', index: Number(match[2] ?? 0) };
}

/** @internal Accepts what `{ device }` options accept. */
export function resolveDevice(device: Device | DeviceSpec | undefined): Device {
  if (device instanceof Device) return device;
  const place = placeOf(device ?? 'auto');
  return place === 'auto' ? defaultDevice() : openOnce(place);
}

/**
 * Opens a device; opened once, the same object is returned again. Printing it (`String(device)`) says which one it is.
 * The event loop goes on meanwhile; a tensor that is made on a GPU before this has resolved waits for the driver.
 * @param spec `'cpu'`, `'cuda'` (the first GPU), `'cuda:1'`, or `'auto'`: the first GPU, where it can be used and gives
 *   the processor's values for a small ring convolution, else the processor; found out once (`npx --no -- gmr doctor` says why). Where a
 *   GPU or its backend is there and does not work, a process warning (`GmrWarning`, with the error's code) says so. The
 *   CPU level is the best that the processor supports; the environment variable GMR_CPU_LEVEL forces one (`x86-64-v2`,
 *   `x86-64-v3`, `x86-64-v4`; `portable` on other processors), GMR_NUM_THREADS says how many threads (default: the
 *   cores, or what a container's quota pays for), GMR_MEMORY_LIMIT how many bytes (`4G`, `500M`) the tensors of all
 *   threads may take (default: nine tenths of the machine's or the container's memory; of a GPU, all).
 * @throws GmrError `backend_missing` where the package was built without CUDA, `backend_broken` where its library does
 *   not load, `device_unavailable` where there is no driver, an old one, no such GPU, or one that the kernels were not
 *   built for. The message says what to do.
 */
export async function device(spec: DeviceSpec = 'auto'): Promise<Device> {
  if ((spec as unknown) instanceof Device) return spec as unknown as Device;
  const place = placeOf(spec);
  return place === 'auto' ? defaultDeviceLater() : openOnceLater(place);
}

/**
 * What tensors hold on a device now: live buffers and bytes, the peak, the allocator's reserve, and the limit of all. Bytes count from
 * when the work that fills them runs: await a read first to count all that was queued.
 */
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
