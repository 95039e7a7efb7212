// Values of every kind that JavaScript has, for arguments that expect something else.
import type { Random } from './cases.js';

function detached(): Float32Array {
  const data = new Float32Array(4);
  structuredClone(data, { transfer: [data.buffer] });
  return data;
}

/** A Float32Array whose buffer has shrunk under it. */
function shrunk(): unknown {
  const buffer = Reflect.construct(ArrayBuffer, [64, { maxByteLength: 128 }]) as ArrayBuffer & {
    resize?: (bytes: number) => void;
  };
  const view = new Float32Array(buffer, 32, 8);
  buffer.resize?.(16);
  return view;
}

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** An exception that hostile values throw on purpose. */
export class Deliberate extends Error {}

const throwing: ProxyHandler<object> = {
  get: () => {
    throw new Deliberate('deliberate');
  },
};

const typedArrays = [
  Int8Array,
  Uint8ClampedArray,
  Uint16Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
] as const;

const makers: readonly ((random: Random) => unknown)[] = [
  () => undefined,
  () => null,
  (random) => random.pick([NaN, Infinity, -Infinity, -0, Number.MIN_VALUE, Number.MAX_VALUE, -1, 0.5, 1e-300]),
  (random) => random.integer(-10, 10),
  (random) => 2 ** random.integer(0, 64) - random.integer(-1, 1),
  (random) => -(2 ** random.integer(0, 1023)),
  (random) => (random.next() - 0.5) * 2 ** random.integer(-60, 60),
  (random) => BigInt(random.integer(-9, 9)) ** 40n,
  (random) => random.pick(['', '\0', '3', 'cpu', 'cuda', '\ud800', '-', 'é'.repeat(59), 'x'.repeat(1 << 16)]),
  (random) => random.chance(0.5),
  () => Symbol('s'),
  () => Symbol.iterator,
  () => ({}),
  () => Object.create(null) as unknown,
  () => Object.freeze({ length: 3, 0: 1, 1: 1, 2: 1 }),
  (random) => Array.from({ length: random.integer(0, 5) }, () => random.integer(-1, 4)),
  (random) => new Array(random.pick([0, 3, 2 ** 32 - 1])),
  () => [1, 'a', null],
  () => {
    const array: unknown[] = [1, 2];
    array.push(array);
    return array;
  },
  () =>
    Object.defineProperty([1, 2, 3], 1, {
      get: () => {
        throw new Deliberate('deliberate');
      },
    }),
  () => new Proxy([1, 2, 3], throwing),
  () => new Proxy({}, throwing),
  () => revoked({}),
  () => revoked([1, 2, 3]),
  (random) => new (random.pick(typedArrays))(random.integer(0, 9)),
  () => new Float32Array(new SharedArrayBuffer(16)),
  detached,
  shrunk,
  (random) => new ArrayBuffer(random.integer(0, 64)),
  () => new DataView(new ArrayBuffer(8)),
  () => () => {},
  () => Map,
  () => new Date(NaN),
  () => /x/g,
  () => new Map([[1, 2]]),
  () => Promise.resolve(1),
  () => new Error('an error'),
  () => globalThis,
];

/** Any value at all. */
export function wildValue(random: Random): unknown {
  return random.pick(makers)(random);
}
