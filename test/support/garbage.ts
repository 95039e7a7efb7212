// Values that no argument expects, put in the place of each part of valid arguments.
import * as gmr from '../../lib/index.js';
import { isPlainObject } from '../../lib/errors.js';
import { devices } from './devices.js';

function disposed(): gmr.Tensor {
  const tensor = gmr.tensor([1]);
  tensor.dispose();
  return tensor;
}

function cyclicArray(): unknown[] {
  const array: unknown[] = [];
  array.push(array);
  return array;
}

/** By name; made anew for each call, which may change them. No string of these names a file that can be written. */
export const garbage: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  NaN: () => NaN,
  '-1': () => -1,
  '0': () => 0,
  '0.5': () => 0.5,
  '2^53': () => 2 ** 53,
  Infinity: () => Infinity,
  "''": () => '',
  "'\\0'": () => '\0',
  true: () => true,
  'a symbol': () => Symbol('s'),
  'a bigint': () => 10n,
  'an object': () => ({}),
  'an object without prototype': () => Object.create(null) as unknown,
  'a date': () => new Date(0),
  'a map with a number for a name': () => new Map([[1, 2]]),
  'an empty array': () => [],
  'an array of three': () => [1, 'a', null],
  'an array that holds itself': cyclicArray,
  'an array of holes': () => new Array(1000),
  'doubles of no use': () => new Float64Array(7),
  'detached data': () => {
    const data = new Float32Array(4);
    structuredClone(data, { transfer: [data.buffer] });
    return data;
  },
  'a function': () => () => {},
  'a promise': () => Promise.resolve(1),
  'a disposed tensor': disposed,
  'an int32 tensor': () => gmr.tensor(Int32Array.of(1, 2)),
  'a tensor of seven axes': () => gmr.tensor([[[[[[[1]]]]]]]),
  'a tensor of another device': () => gmr.tensor([1], undefined, { device: devices[0]! }),
};

/** A copy of `items` with a hole at `index`. */
function withHole(items: readonly unknown[], index: number): unknown[] {
  const copy = [...items];
  // oxlint-disable-next-line typescript/no-array-delete -- the hole is what is wanted
  delete copy[index];
  return copy;
}

/**
 * Copies of a valid value in which one part is replaced: the whole, a property of a plain object, the first or last item of an
 * array; each under a name that says which part became what.
 */
export function* variants(
  value: unknown,
  substitutes: Readonly<Record<string, () => unknown>>,
  path: string,
): Generator<[name: string, value: unknown]> {
  for (const [name, make] of Object.entries(substitutes)) yield [`${path} = ${name}`, make()];
  if (Array.isArray(value)) {
    const items = value as readonly unknown[];
    for (const index of new Set([0, items.length - 1])) {
      if (index < 0 || index >= items.length) continue;
      yield [`${path}[${index}] = a hole`, withHole(items, index)];
      for (const [name, item] of variants(items[index], substitutes, `${path}[${index}]`)) {
        yield [name, items.with(index, item)];
      }
    }
    yield [`${path} with an item more`, [...items, items.at(-1)]];
  } else if (isPlainObject(value)) {
    for (const key of Object.keys(value)) {
      for (const [name, item] of variants(value[key], substitutes, `${path}.${key}`)) {
        yield [name, { ...value, [key]: item }];
      }
    }
  }
}
