// The JSON header of a safetensors file, taken apart with every check that the format asks for.
// Format: https://huggingface.co/docs/safetensors/index#format
import { show } from '../errors.js';
import type { HostDType } from './host_array.js';

/** What a file may store: our dtypes, and one that becomes float32 when read. */
export type StoredDType = HostDType | 'F16';

export const bytesPerElement: Readonly<Record<StoredDType, number>> = {
  F64: 8,
  I64: 8,
  F32: 4,
  I32: 4,
  F16: 2,
  BF16: 2,
  U8: 1,
  BOOL: 1,
};

export interface StoredTensor {
  name: string;
  dtype: StoredDType;
  shape: number[];
  /** Bytes from the start of the data section. */
  begin: number;
  end: number;
}

export interface Header {
  tensors: StoredTensor[];
  metadata: Record<string, string>;
}

/** Says what is wrong with a file; the reader adds which file. */
export class HeaderError extends Error {}

// A header is an object of objects of arrays.
const maxDepth = 3;
// Four a tensor. Each takes a hundred bytes when it is parsed, whatever it takes in the file.
const maxNames = 2 ** 20;

/** Where the string that starts at `start` ends: its closing quote, or the end of a text that lacks one. */
function stringEnd(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return end;
}

/** Whether the next character that is no white space is a colon: then the string before it was a key. */
function colonFollows(text: string, start: number): boolean {
  let next = start;
  while (' \t\n\r'.includes(text[next] ?? 'end')) next += 1;
  return text[next] === ':';
}

/**
 * Looks for what JSON.parse lets pass: a key that is given twice (it keeps the last), and what only a forged file has and would be
 * expanded in memory: nesting, more names than any model has, and a value in fewer than four characters on average (in a tensor's
 * entry, with `dtype`, `shape` and `data_offsets` written out, they have six and more). Text that is no JSON is left for JSON.parse
 * to refuse.
 */
function checkStructure(text: string): void {
  const open: (Set<string> | null)[] = [];
  let values = 0;
  let names = 0;
  for (let i = 0; i < text.length; ++i) {
    const character = text[i];
    if (character === '{' || character === '[' || character === ',') {
      values += 1;
      if (values > 16 + text.length / 4) throw new HeaderError('its header has more values than its length explains');
    }
    if (character === '{' || character === '[') {
      open.push(character === '{' ? new Set() : null);
      if (open.length > maxDepth) throw new HeaderError('its header is nested too deeply');
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === '"') {
      const end = stringEnd(text, i);
      const keys = open.at(-1);
      if (keys instanceof Set && colonFollows(text, end + 1)) {
        const key = JSON.parse(text.slice(i, end + 1)) as string;
        names += 1;
        if (names > maxNames) throw new HeaderError(`its header has more than ${maxNames} names`);
        if (keys.has(key)) throw new HeaderError(`its header has the name ${show(key)} twice`);
        keys.add(key);
      }
      i = end;
    }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isExtent(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function parseMetadata(value: unknown): Record<string, string> {
  if (!isObject(value)) throw new HeaderError(`__metadata__ is no object but ${show(value)}`);
  const entries = Object.entries(value);
  const odd = entries.find(([, text]) => typeof text !== 'string');
  if (odd !== undefined) throw new HeaderError(`__metadata__ ${show(odd[0])} is no string but ${show(odd[1])}`);
  return Object.fromEntries(entries) as Record<string, string>;
}

function parseTensor(name: string, value: unknown, dataBytes: number): StoredTensor {
  const where = `tensor ${show(name)}`;
  if (!isObject(value)) throw new HeaderError(`${where} is no object but ${show(value)}`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesPerElement, dtype)) {
    throw new HeaderError(
      `${where} has dtype ${show(dtype)}, expected one of ${Object.keys(bytesPerElement).join(', ')}`,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isExtent)) {
    throw new HeaderError(`${where} has shape ${show(shape)}, expected integers >= 0`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isExtent) || offsets[0]! > offsets[1]!) {
    throw new HeaderError(`${where} has data_offsets ${show(offsets)}, expected [begin, end] with begin <= end`);
  }
  const [begin, end] = offsets as [number, number];
  if (end > dataBytes) {
    throw new HeaderError(`${where} ends at byte ${end} of the data, which has ${dataBytes} (truncated file?)`);
  }
  let bytes = bytesPerElement[dtype as StoredDType];
  for (const extent of shape) {
    bytes *= extent;
    if (!Number.isSafeInteger(bytes))
      throw new HeaderError(`${where} has a shape with too many elements, ${show(shape)}`);
  }
  if (bytes !== end - begin) {
    throw new HeaderError(
      `${where} of ${dtype} and shape ${show(shape)} takes ${bytes} bytes, but its range has ${end - begin}`,
    );
  }
  return { name, dtype: dtype as StoredDType, shape, begin, end };
}

/** The tensors must cover the data exactly. */
function checkCoverage(tensors: readonly StoredTensor[], dataBytes: number): void {
  let covered = 0;
  for (const { name, begin, end } of tensors) {
    if (begin < covered) throw new HeaderError(`tensor ${show(name)} overlaps the one before it`);
    if (begin > covered)
      throw new HeaderError(`${begin - covered} bytes before tensor ${show(name)} belong to no tensor`);
    covered = end;
  }
  if (covered < dataBytes) throw new HeaderError(`the last ${dataBytes - covered} bytes belong to no tensor`);
}

/**
 * Parses and checks a header.
 * @param bytes The header alone.
 * @param dataBytes How many bytes follow it in the file.
 * @returns Tensors in the order of their data.
 * @throws HeaderError
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number): Header {
  let parsed: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    checkStructure(text);
    parsed = JSON.parse(text);
  } catch (error) {
    if (error instanceof HeaderError) throw error;
    throw new HeaderError(`its header is no JSON in UTF-8 (${(error as Error).message})`, { cause: error });
  }
  if (!isObject(parsed)) throw new HeaderError(`its header is no object but ${show(parsed)}`);
  let metadata: Record<string, string> = {};
  const tensors: StoredTensor[] = [];
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') metadata = parseMetadata(value);
    else tensors.push(parseTensor(name, value, dataBytes));
  }
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(tensors, dataBytes);
  return { tensors, metadata };
}
