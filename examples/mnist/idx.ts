// The IDX format of the MNIST files: two zero bytes, a type byte, the number of axes, each axis's extent as a big-endian
// 32-bit number, then the elements, last axis fastest, and nothing after them.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { GmrError } from '../../lib/index.js';

/** An array of unsigned bytes. */
export interface IdxArray {
  shape: number[];
  data: Uint8Array;
}

const unsignedByte = 0x08;
const typeNames: Record<number, string> = {
  [unsignedByte]: 'unsigned bytes',
  0x09: 'signed bytes',
  0x0b: '16-bit integers',
  0x0c: '32-bit integers',
  0x0d: '32-bit floats',
  0x0e: '64-bit floats',
};

function bad(file: string, problem: string, cause?: unknown): never {
  throw new GmrError('invalid_file', `[idx] ${file}: ${problem}`, { cause });
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/**
 * The shape that a header announces.
 * @param header The first bytes of the file: at least 4 + 4 * rank, or all there are.
 * @param fileBytes Length of the whole file, which must be the header and the announced elements, exactly.
 * @param rank Number of axes that the caller can use.
 */
function parseHeader(header: Uint8Array, fileBytes: number, rank: number, file: string): number[] {
  const headerBytes = 4 + 4 * rank;
  if (fileBytes < 4) bad(file, `is ${plural(fileBytes, 'byte')} long, too short for an IDX header`);
  const [zero0, zero1, type, axes] = header as unknown as [number, number, number, number];
  if (zero0 !== 0 || zero1 !== 0) {
    const gzip = zero0 === 0x1f && zero1 === 0x8b ? ' (it is gzip-compressed: unpack it first)' : '';
    const magic = Buffer.from(header.subarray(0, 4)).toString('hex');
    bad(file, `is no IDX file: it starts with 0x${magic}, expected two zero bytes${gzip}`);
  }
  if (type !== unsignedByte) {
    const name = typeNames[type] ?? `unknown type 0x${type.toString(16).padStart(2, '0')}`;
    bad(file, `holds ${name}, expected unsigned bytes (type 0x08)`);
  }
  if (axes !== rank) bad(file, `has ${axes === 1 ? '1 axis' : `${axes} axes`}, expected ${rank}`);
  if (fileBytes < headerBytes) {
    bad(file, `is truncated in its header: ${plural(fileBytes, 'byte')}, expected at least ${headerBytes}`);
  }
  const view = new DataView(header.buffer, header.byteOffset, headerBytes);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  // Three extents below 2^32 stay far below the largest double; a product too large to be exact is larger than any file.
  const expected = headerBytes + shape.reduce((count, extent) => count * extent, 1);
  if (fileBytes !== expected) {
    const problem = fileBytes < expected ? 'is truncated' : 'is too long';
    const announced = `its header announces [${shape.join(', ')}], which takes ${expected}`;
    bad(file, `${problem}: it has ${plural(fileBytes, 'byte')}, but ${announced}`);
  }
  return shape;
}

/**
 * Reads an IDX array of unsigned bytes that lies in memory. The result shares `bytes`.
 * @param rank Number of axes it must have.
 * @param file Name for error messages.
 * @throws GmrError `invalid_file`
 */
export function parseIdx(bytes: Uint8Array, rank: number, file: string): IdxArray {
  const shape = parseHeader(bytes, bytes.length, rank, file);
  return { shape, data: bytes.subarray(4 + 4 * rank) };
}

/**
 * Reads an IDX file. The header is checked against the file's length before memory is taken for the elements.
 * @throws GmrError `invalid_file`
 */
async function readIdx(file: string, rank: number): Promise<IdxArray> {
  let handle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe would wait for a writer
  } catch (error) {
    return bad(file, `cannot be opened: ${(error as Error).message}`, error);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) bad(file, 'is no regular file');
    const { size } = stat;
    const headerBytes = 4 + 4 * rank;
    const header = new Uint8Array(headerBytes);
    await handle.read(header, 0, headerBytes, 0);
    const shape = parseHeader(header, size, rank, file);
    const data = new Uint8Array(size - headerBytes);
    for (let filled = 0; filled < data.length;) {
      const { bytesRead } = await handle.read(data, filled, data.length - filled, headerBytes + filled);
      if (bytesRead === 0) bad(file, `ended early while it was read, after ${headerBytes + filled} of ${size} bytes`);
      filled += bytesRead;
    }
    return { shape, data };
  } catch (error) {
    if (error instanceof GmrError) throw error;
    return bad(file, `cannot be read: ${(error as Error).message}`, error);
  } finally {
    await handle.close();
  }
}

/** Pictures and what they show. */
export interface LabelledImages {
  count: number;
  height: number;
  width: number;
  /** `[count, height, width]` */
  pixels: Uint8Array;
  labels: Uint8Array;
}

/** Checks that an image file and a label file belong together. */
export function pairUp(
  images: IdxArray,
  labels: IdxArray,
  names: { images: string; labels: string },
  classes: number,
): LabelledImages {
  const [count, height, width] = images.shape as [number, number, number];
  if (count === 0 || height === 0 || width === 0)
    bad(names.images, `holds no pixels: its shape is [${images.shape.join(', ')}]`);
  if (labels.shape[0] !== count) {
    bad(names.labels, `has ${plural(labels.shape[0]!, 'label')}, but ${names.images} has ${plural(count, 'image')}`);
  }
  const wrong = labels.data.findIndex((label) => label >= classes);
  if (wrong >= 0) bad(names.labels, `label ${wrong} is ${labels.data[wrong]}, expected 0 to ${classes - 1}`);
  return { count, height, width, pixels: images.data, labels: labels.data };
}

/**
 * Reads a pair of IDX files, `[count, height, width]` images and `[count]` labels in 0..classes-1.
 * @throws GmrError `invalid_file`, naming the file and what is wrong with it.
 */
export async function readLabelledImages(images: string, labels: string, classes: number): Promise<LabelledImages> {
  const [pixels, names] = await Promise.all([readIdx(images, 3), readIdx(labels, 1)]);
  return pairUp(pixels, names, { images, labels }, classes);
}
