// The addon called directly, past all checks in TypeScript: it refuses or obeys, and never reaches outside a buffer, aborts or hangs.
// `npm run test:sanitize` runs this file under AddressSanitizer.
import { expect } from 'chai';
import type { BufferHandle, DeviceHandle } from '../../binding.js';
import { defaultDevice } from '../../lib/device.js';
import { errorCodes } from '../../lib/errors.js';
import * as gmr from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { devices } from '../support/devices.js';
import { garbage, variants } from '../support/garbage.js';
import { uniform } from '../support/ndarray.js';
import { rawBinding, recordParams } from '../support/raw_binding.js';

const binding = rawBinding();
const device = defaultDevice().handle;

function buffer(on: DeviceHandle = device, elements = 2): BufferHandle {
  return native().upload(on, new Float32Array(elements));
}

function disposedBuffer(): BufferHandle {
  const made = buffer();
  native().dispose(made);
  return made;
}

const substitutes: Record<string, () => unknown> = {
  ...garbage,
  '1': () => 1,
  '2': () => 2,
  '2^20': () => 2 ** 20,
  '2^31': () => 2 ** 31,
  '2^40': () => 2 ** 40,
  'a device': () => device,
  'a buffer': () => buffer(),
  'a disposed buffer': disposedBuffer,
  'an empty buffer': () => buffer(device, 0),
  'a buffer of another device': () => buffer(devices[0]!.handle),
};

/** Valid arguments of the functions that are no passes. */
const functions: Record<string, () => unknown[]> = {
  deviceCount: () => ['cpu'],
  openDevice: () => ['cpu', 0, false],
  openDeviceSync: () => ['cpu', 0, false],
  cpuLevels: () => [],
  tryCpuLevel: () => [native().cpuLevels()[0]!.name],
  cgroupLimits: () => [''],
  build: () => ['cuda'],
  createBuffer: () => [device, 64],
  upload: () => [device, new Float32Array(2)],
  copy: () => [device, buffer(), buffer(), 0],
  dispose: () => [buffer()],
  read: () => [device, buffer()],
  memory: () => [device],
  emptyCache: () => [device],
  resetPeak: () => [device],
  profileStart: () => [device],
  profileStop: () => [device],
};

/** What is wrong with the outcome of a call; undefined when nothing is. */
async function fault(call: () => unknown): Promise<string | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    if (!errorCodes.some((known) => known === code)) return `has the code ${code}: ${message}`;
    // What openDevice refuses gets its place in front in lib/device.ts.
    return /^(\[\w+(\.\w+)?\] )?expected .+, received ./s.test(message) || code === 'out_of_memory'
      ? undefined
      : `says ${message}`;
  }
}

/** Waits for what is queued; a failure of it is as good as a refusal. */
async function drain(): Promise<void> {
  await native()
    .read(device, buffer())
    .catch((error: unknown) => expect(error).to.have.property('code'));
}

describe('bad input: the addon', function () {
  this.timeout(60_000);
  const params = recordParams();
  const passNames = Object.keys(binding).filter((name) => !(name in functions));

  it('has valid arguments of each of its functions to start from', () => {
    expect([...params.keys()].toSorted()).to.deep.equal(passNames.toSorted());
  });

  for (const [name, args] of Object.entries(functions)) {
    it(name, async () => {
      const faults: string[] = [];
      for (let position = 0; position < args().length; ++position) {
        for (const [what, value] of variants(args()[position], substitutes, `argument ${position}`)) {
          const found = await fault(() => binding[name]!(...args().with(position, value)));
          if (found !== undefined) faults.push(`${what} ${found}`);
        }
      }
      expect(faults).to.deep.equal([]);
    });
  }

  for (const name of passNames) {
    const run = (given: unknown): Promise<string | undefined> => fault(() => binding[name]!(device, given, 0));

    it(`${name}: each param`, async () => {
      const faults: string[] = [];
      for (const [what, value] of variants(params.get(name), substitutes, 'params')) {
        const found = await run(value);
        if (found !== undefined) faults.push(`${what} ${found}`);
        await drain();
      }
      expect(faults).to.deep.equal([]);
    });

    it(`${name}: several params at once`, async () => {
      const random = uniform(1);
      const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
      const extents = [0, 1, 2, 3, 4, 5, 7, 8, 2 ** 20, 2 ** 31 - 1, 2 ** 40];
      const change = (value: unknown): unknown => {
        if (random() < 0.7) return value;
        if (typeof value === 'number') return pick(extents);
        if (typeof value === 'boolean') return !value;
        return Array.isArray(value) ? value.map(change) : value;
      };
      for (let round = 0; round < 200; ++round) {
        const changed = Object.entries(params.get(name)!).map(([key, value]) => [key, change(value)] as const);
        const given = Object.fromEntries(changed);
        const numbers = (): string => JSON.stringify(given, (_, value: unknown) => value);
        expect(await run(given), numbers()).to.equal(undefined);
        await drain();
      }
    });
  }

  it('hands on what a property throws, and holds buffers that a property disposes of', async () => {
    const throwing = {
      type: 0,
      get count(): number {
        throw new RangeError('deliberate');
      },
    };
    expect(() => binding['add_forward']!(device, throwing, 0)).to.throw(RangeError, 'deliberate');
    const [a, b] = [buffer(), buffer()];
    const disposing = {
      a,
      b,
      type: 0,
      count: 2,
      get y(): BufferHandle {
        native().dispose(a);
        return b;
      },
    };
    binding['add_forward']!(device, disposing, 0);
    expect(new Float32Array(await native().read(device, b))).to.deep.equal(new Float32Array(2));
  });

  it('works on afterwards', async () => {
    expect([...(await gmr.ops.add(gmr.tensor([1]), gmr.tensor([2])).data())]).to.deep.equal([3]);
  });
});
