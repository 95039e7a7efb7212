// The addon's every function with arguments of every kind, past all checks in TypeScript: it refuses or obeys.
import type { BufferHandle } from '../../binding.js';
import { errorCodes } from '../../lib/errors.js';
import type { Device } from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { cpuDevices, devices } from '../support/devices.js';
import { rawBinding, recordParams } from '../support/raw_binding.js';
import { runCases, type Random } from './cases.js';
import { Deliberate, wildValue } from './wild_values.js';

const binding = rawBinding();
const recorded = recordParams();
const passNames = [...recorded.keys()];
const functionNames = Object.keys(binding).filter((name) => !recorded.has(name));
const collectGarbage = globalThis.gc ?? (() => {});

/** Small, and a few that a check could get wrong; what would be granted but take gigabytes is left out. */
const extents = [0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 7, 9, 17, 64, 1023, 2 ** 20, 2 ** 31 - 1, 2 ** 40, 2 ** 44, 2 ** 52];

/** The interpreter of CUDA kernels takes its time. */
const bufferElements = (device: Device): number => (device.kind === 'cuda_sim' ? 1 << 9 : 1 << 13);

class Case {
  private readonly made: BufferHandle[] = [];
  private readonly device: Device;

  constructor(private readonly random: Random) {
    this.device = random.pick(random.chance(0.9) ? cpuDevices : devices);
  }

  /** A buffer of numbers, or of integers, which are small, or any bits. */
  private buffer(on: Device, elements: number): BufferHandle {
    const data = this.random.chance(0.5)
      ? Float32Array.from({ length: elements }, () => this.random.next() - 0.5)
      : Int32Array.from({ length: elements }, () => this.random.integer(-3, 40) * this.random.pick([1, 1, 1 << 25]));
    const handle = native().upload(on.handle, data);
    this.made.push(handle);
    return handle;
  }

  private handle(): unknown {
    const { random, device } = this;
    return random.pick<() => unknown>([
      () => this.buffer(device, bufferElements(device)),
      () => this.buffer(device, bufferElements(device)),
      () => random.pick(this.made),
      () => this.buffer(device, random.integer(0, 9)),
      () => native().createBuffer(device.handle, random.pick([0, 7, 4096, 2 ** 44, 2 ** 52])),
      () => this.buffer(random.pick(devices), 64),
      () => device.handle,
      () => random.pick(devices).handle,
      () => {
        const released = this.buffer(device, 4);
        native().dispose(released);
        return released;
      },
    ])();
  }

  private wild(): unknown {
    return this.random.chance(0.3) ? this.handle() : wildValue(this.random);
  }

  /** What stands in the place of a valid value: most often one of its kind. */
  private changed(value: unknown): unknown {
    const { random } = this;
    if (random.chance(0.03)) return this.wild();
    if (Array.isArray(value)) return value.map((item) => (random.chance(0.7) ? item : this.changed(item)));
    if (typeof value === 'number') return random.pick(random.chance(0.9) ? extents.slice(0, 12) : extents);
    if (typeof value === 'boolean') return random.chance(0.5);
    return random.chance(0.1) ? null : this.handle();
  }

  /** `params` with a property that does something when it is read. */
  private boobyTrapped(params: Record<string, unknown>): unknown {
    const { random } = this;
    const key = random.pick(Object.keys(params));
    const value = params[key];
    let reads = 0;
    const actions: readonly (() => unknown)[] = [
      () => {
        throw new Deliberate('deliberate');
      },
      () => (this.made.forEach((handle) => native().dispose(handle)), value),
      () => (binding[random.pick(passNames)]!(this.device.handle, params, 0), value),
      () => (collectGarbage(), value),
      () => (reads++ === 0 ? value : this.wild()),
      () => ((params[random.pick(Object.keys(params))] = this.wild()), value),
    ];
    const action = random.pick(actions);
    let depth = 0;
    const get = (): unknown => {
      if (depth > 0) return value; // a call that reads the same params again
      depth += 1;
      try {
        return action();
      } finally {
        depth -= 1;
      }
    };
    return Object.defineProperty({ ...params }, key, { get });
  }

  private passParams(name: string): unknown {
    const { random, device } = this;
    const valid = recorded.get(name)!;
    const rate = random.pick([0, 0.1, 0.3, 1]);
    const params = Object.fromEntries(
      Object.entries(valid).map(([key, value]) => {
        if (random.chance(rate)) return [key, this.changed(value)];
        const isHandle = value !== null && typeof value === 'object' && !Array.isArray(value);
        return [key, isHandle ? this.buffer(device, bufferElements(device)) : value];
      }),
    );
    if (random.chance(0.15)) return this.boobyTrapped(params);
    return random.chance(0.02) ? this.wild() : params;
  }

  /** Functions that are not named take a device alone. */
  private functionArguments(name: string): unknown[] {
    const { random, device } = this;
    const size = random.pick([0, 1, 4096, 2 ** 44, -1, 2 ** 53]);
    const opened = [
      random.pick(['cpu', 'cpu', 'cuda_sim']),
      random.pick([0, 0, 0, 1, 0.5, 2 ** 31 - 1]),
      random.chance(0.5),
    ];
    const elements = random.integer(0, 99);
    const valid: Record<string, () => unknown[]> = {
      openDevice: () => opened,
      openDeviceSync: () => opened,
      deviceCount: () => [random.pick(['cpu', 'cuda', 'cuda_sim'])],
      cpuLevels: () => [],
      tryCpuLevel: () => [random.pick(['x86-64-v4', 'x86-64-v3', 'x86-64-v2', 'portable'])],
      build: () => [random.pick([undefined, 'cuda', 'cuda_sim'])],
      cgroupLimits: () => [random.pick(['', '/', '/proc/self', '/dev/null', '\0', '..'.repeat(5000)])],
      createBuffer: () => [device.handle, size],
      upload: () => [
        device.handle,
        random.chance(0.7) ? new (random.pick([Float32Array, Int32Array, Uint16Array]))(elements) : wildValue(random),
      ],
      copy: () => [
        device.handle,
        this.buffer(device, elements),
        this.buffer(device, random.chance(0.8) ? elements : 7),
        random.integer(0, 9),
      ],
      dispose: () => [this.handle()],
      read: () => [device.handle, this.buffer(device, elements)],
    };
    const args = valid[name]?.() ?? [device.handle];
    return args.map((argument) => (random.chance(0.2) ? this.wild() : argument));
  }

  private call(name: string, args: unknown[]): unknown {
    const { random } = this;
    const given = random.chance(0.05) ? args.slice(0, random.integer(0, args.length)) : args;
    if (random.chance(0.02)) return Reflect.construct(binding[name]!, given);
    return Reflect.apply(binding[name]!, random.chance(0.05) ? this.wild() : binding, given);
  }

  async run(): Promise<string> {
    const { random, device } = this;
    this.buffer(device, 1);
    const name = random.pick(random.chance(0.85) ? passNames : functionNames);
    const args = recorded.has(name)
      ? [
          random.chance(0.03) ? this.wild() : device.handle,
          this.passParams(name),
          random.chance(0.05) ? this.wild() : 0,
        ]
      : this.functionArguments(name);
    const outcome = await outcomeOf(() => this.call(name, args));
    // What was queued runs now; a failure of it is as good as a refusal.
    const later = await outcomeOf(() => native().read(device.handle, this.buffer(device, 1)));
    for (const handle of this.made) if (random.chance(0.9)) native().dispose(handle);
    return `${device.level} ${name}: ${outcome}, ${later}`;
  }
}

async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return 'done';
  } catch (error) {
    if (error instanceof Deliberate) return 'handed on';
    // Besides ours: what V8 throws itself, at a revoked proxy say.
    const { code } = error as { code?: string };
    if (code === undefined && error instanceof TypeError) return 'TypeError';
    if (!errorCodes.some((known) => known === code)) throw error;
    return code!;
  }
}

await runCases((random) => new Case(random).run());
