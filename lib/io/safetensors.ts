// Files of named arrays: eight bytes with the header's length, a JSON header, the data. Little-endian, as all our platforms are.
// Format: https://huggingface.co/docs/safetensors/index#format
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { roundToBfloat16, widenBfloat16 } from '../bfloat16.js';
import { Described, expectPlainObject, expectString, fail, GmrError, show } from '../errors.js';
import { elementCount, Tensor } from '../tensor.js';
import { writeAtomically } from './atomic_file.js';
import {
  isHostData,
  isShape,
  namedEntries,
  naturalDType,
  type HostArray,
  type HostData,
  type HostDType,
} from './host_array.js';
import {
  bytesPerElement,
  HeaderError,
  parseHeader,
  type StoredDType,
  type StoredTensor,
} from './safetensors_header.js';

/** The format's limit on headers. */
const maxHeaderBytes = 100_000_000;

export interface SafetensorsFile {
  /** By name, in the order of their data. */
  tensors: Map<string, HostArray>;
  metadata: Record<string, string>;
}

/** Fills `into` from the file; an early end is an error. */
async function readExactly(file: FileHandle, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await file.read(into, done, Math.min(into.length - done, 2 ** 30), position + done);
    if (bytesRead === 0) throw new HeaderError(`it ends at byte ${position + done} (truncated while it was read?)`);
    done += bytesRead;
  }
}

function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function widenHalf(bits: Uint16Array): Float32Array {
  const values = new Float32Array(bits.length); // Float32Array.from would make a list of all numbers first
  for (let i = 0; i < bits.length; ++i) values[i] = halfValue(bits[i]!);
  return values;
}

const decoders: Readonly<Record<StoredDType, (bytes: ArrayBuffer) => { dtype: HostDType; data: HostData }>> = {
  F32: (bytes) => ({ dtype: 'F32', data: new Float32Array(bytes) }),
  F64: (bytes) => ({ dtype: 'F64', data: new Float64Array(bytes) }),
  I32: (bytes) => ({ dtype: 'I32', data: new Int32Array(bytes) }),
  I64: (bytes) => ({ dtype: 'I64', data: new BigInt64Array(bytes) }),
  U8: (bytes) => ({ dtype: 'U8', data: new Uint8Array(bytes) }),
  BOOL: (bytes) => ({ dtype: 'BOOL', data: new Uint8Array(bytes) }),
  F16: (bytes) => ({ dtype: 'F32', data: widenHalf(new Uint16Array(bytes)) }),
  BF16: (bytes) => ({ dtype: 'BF16', data: widenBfloat16(new Uint16Array(bytes)) }),
};

async function readTensor(
  file: FileHandle,
  { dtype, shape, begin, end }: StoredTensor,
  dataStart: number,
): Promise<HostArray> {
  const bytes = new ArrayBuffer(end - begin);
  await readExactly(file, new Uint8Array(bytes), dataStart + begin);
  return { ...decoders[dtype](bytes), shape };
}

async function readFrom(file: FileHandle): Promise<SafetensorsFile> {
  const stat = await file.stat();
  if (!stat.isFile()) throw new HeaderError('it is no regular file');
  if (stat.size < 8) throw new HeaderError(`it has ${stat.size} bytes, too few for a safetensors file`);
  const length = new BigUint64Array(1);
  await readExactly(file, new Uint8Array(length.buffer), 0);
  if (length[0]! > BigInt(stat.size - 8)) {
    throw new HeaderError(
      `its header would have ${length[0]} bytes, but ${stat.size - 8} follow (no safetensors file?)`,
    );
  }
  if (length[0]! > BigInt(maxHeaderBytes))
    throw new HeaderError(`its header has ${length[0]} bytes, more than ${maxHeaderBytes}`);
  const header = new Uint8Array(Number(length[0]));
  await readExactly(file, header, 8);
  const dataStart = 8 + header.length;
  const { tensors: stored, metadata } = parseHeader(header, stat.size - dataStart);
  const tensors = new Map<string, HostArray>();
  for (const tensor of stored) tensors.set(tensor.name, await readTensor(file, tensor, dataStart));
  return { tensors, metadata };
}

/** Turns what the file system and the parser throw into an error that names the file. */
function fileError(where: string, path: string, error: unknown): GmrError {
  if (error instanceof GmrError) return error;
  // An array that there is no memory for is a RangeError.
  const code = error instanceof RangeError ? 'out_of_memory' : 'invalid_file';
  return new GmrError(code, `[${where}] ${path}: ${(error as Error).message}`, { cause: error });
}

/**
 * Reads a safetensors file whole.
 * @param path F32, F64, I32, I64, U8 and BOOL come as they are, BF16 with its numbers in a Float32Array; F16 becomes F32.
 * @returns Arrays in host memory; `Module.loadStateDict` takes `tensors` as it is.
 * @throws GmrError `invalid_file`, with the file's name and what is wrong, or `out_of_memory`. Nothing is allocated that the file's size
 *   does not justify: a header of at most 100 MB and 2^20 names, counting four a tensor.
 */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  expectString('readSafetensors', 'path', path);
  try {
    // Opening a pipe for reading would wait for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return await readFrom(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('readSafetensors', path, error);
  }
}

/** What can be written: a tensor, a typed array (one axis), or a typed array with a shape. */
export type Writable = Tensor | HostData | HostArray;

function expectHostArray(name: string, value: unknown): HostArray {
  const argument = `tensors[${JSON.stringify(name)}]`;
  if (isHostData(value)) return { dtype: naturalDType(value), shape: [value.length], data: value };
  const array = value as Partial<HostArray> | null | undefined;
  if (!isHostData(array?.data) || !Array.isArray(array.shape)) {
    fail('writeSafetensors', argument, 'be a Tensor, a typed array or { dtype, shape, data }', value);
  }
  const { data, shape } = array;
  const dtype = expectString('writeSafetensors', `${argument}.dtype`, array.dtype ?? naturalDType(data)) as HostDType;
  const natural = naturalDType(data);
  const isSuited = (dtype === 'BOOL' && natural === 'U8') || (dtype === 'BF16' && natural === 'F32');
  if (dtype !== natural && !isSuited) {
    fail('writeSafetensors', argument, `hold ${dtype} data`, data);
  }
  if (!isShape(shape) || elementCount(shape) !== data.length) {
    fail('writeSafetensors', argument, `have the elements of its shape ${show(shape)}`, data, 'invalid_shape');
  }
  return { dtype, shape, data };
}

async function toHostArray(name: string, value: Writable): Promise<HostArray> {
  if (!(value instanceof Tensor)) return expectHostArray(name, value);
  const { shape } = value;
  const data = await value.data();
  return { dtype: value.dtype === 'bfloat16' ? 'BF16' : naturalDType(data), shape, data };
}

function bytesOf(array: HostArray): Uint8Array {
  const data = array.dtype === 'BF16' ? roundToBfloat16(array.data as Float32Array) : array.data;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The header with its length before it, padded so that the data starts at a multiple of eight. */
function encodeHeader(arrays: readonly (readonly [string, HostArray])[], metadata: Record<string, string>): Uint8Array {
  let end = 0;
  const entries = arrays.map(([name, array]) => {
    const begin = end;
    end += array.data.length * bytesPerElement[array.dtype];
    return [name, { dtype: array.dtype, shape: array.shape, data_offsets: [begin, end] }] as const;
  });
  const first = Object.keys(metadata).length === 0 ? [] : [['__metadata__', metadata] as const];
  const json = Buffer.from(JSON.stringify(Object.fromEntries<unknown>([...first, ...entries])));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = Buffer.alloc(8 + length, ' ');
  bytes.writeBigUInt64LE(BigInt(length));
  json.copy(bytes, 8);
  return bytes;
}

/**
 * Writes a safetensors file, under a temporary name that becomes `path` when all of it is on the disk.
 * @param tensors By name. A bfloat16 tensor becomes BF16, as do the numbers of a HostArray that says so, rounded. Tensors are written as they are at the call, whatever is queued on them afterwards; typed arrays must not
 *   be changed until the promise resolves.
 * @param metadata Strings by name.
 * @throws GmrError `invalid_argument` or `invalid_shape` for what cannot be written, `invalid_file` when the disk refuses.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, Writable>> | ReadonlyMap<string, Writable>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  expectString('writeSafetensors', 'path', path);
  expectPlainObject('writeSafetensors', 'metadata', metadata);
  const named = namedEntries<Writable>('writeSafetensors', 'tensors', tensors);
  if (named.some(([name]) => name === '__metadata__')) {
    fail('writeSafetensors', 'tensors', 'have no tensor of the name __metadata__', new Described('one'));
  }
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') fail('writeSafetensors', `metadata.${key}`, 'be a string', value);
  }
  // All reads are queued before the first is awaited: one point in time.
  const arrays = await Promise.all(named.map(async ([name, value]) => [name, await toHostArray(name, value)] as const));
  // Widest first, so that each tensor is aligned; then by name.
  arrays.sort(
    ([a, { dtype: wideA }], [b, { dtype: wideB }]) =>
      bytesPerElement[wideB] - bytesPerElement[wideA] || (a < b ? -1 : Number(a > b)),
  );
  const header = encodeHeader(arrays, metadata);
  try {
    await writeAtomically(path, async (file) => {
      await file.writeFile(header);
      for (const [, array] of arrays) await file.writeFile(bytesOf(array));
    });
  } catch (error) {
    throw fileError('writeSafetensors', path, error);
  }
}
