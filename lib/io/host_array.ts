// Named arrays in host memory: what files hold and what state dicts exchange.
import { expectString, fail, isPlainObject } from '../errors.js';
import { elementCount, type Shape } from '../tensor.js';
import { typedArrayKind } from '../typed_array.js';

export type HostDType = 'F32' | 'BF16' | 'F64' | 'I32' | 'I64' | 'U8' | 'BOOL';

export type HostData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

/**
 * An n-dimensional array in host memory, contiguous, last axis fastest. `BOOL` has 0 and 1 in a Uint8Array, `BF16` its numbers in a
 * Float32Array.
 */
export interface HostArray {
  dtype: HostDType;
  shape: Shape;
  data: HostData;
}

const naturalDTypes = {
  Float32Array: 'F32',
  Float64Array: 'F64',
  Int32Array: 'I32',
  BigInt64Array: 'I64',
  Uint8Array: 'U8',
} as const;

/** Whether `value` is one of the typed arrays that a HostArray may have. */
export function isHostData(value: unknown): value is HostData {
  return Object.hasOwn(naturalDTypes, typedArrayKind(value) ?? '');
}

/** Whether `value` is a HostArray whose data fills its shape. */
export function isHostArray(value: unknown): value is HostArray {
  const { shape, data } = (value ?? {}) as Partial<HostArray>;
  return isHostData(data) && isShape(shape) && elementCount(shape) === data.length;
}

/** Whether `value` is an array of extents, without holes. */
export function isShape(value: unknown): value is Shape {
  return (
    Array.isArray(value) &&
    !value.includes(undefined) &&
    value.every((extent) => Number.isSafeInteger(extent) && Number(extent) >= 0)
  );
}

/** The entries of an object or Map whose keys are names. */
export function namedEntries<T>(where: string, argument: string, source: unknown): [string, T][] {
  if (!(source instanceof Map) && !isPlainObject(source)) fail(where, argument, 'be a plain object or a Map', source);
  const entries = source instanceof Map ? [...(source as Map<string, T>)] : (Object.entries(source) as [string, T][]);
  for (const [name] of entries) expectString(where, `the names of ${argument}`, name);
  return entries;
}

/** The dtype that a typed array has by itself (a Uint8Array: `U8`). */
export function naturalDType(data: HostData): HostDType {
  return naturalDTypes[typedArrayKind(data) as keyof typeof naturalDTypes];
}
