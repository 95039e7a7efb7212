import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseIdx, readLabelledImages } from '../../examples/mnist/idx.js';
import { GmrError } from '../../lib/index.js';
import { expectRejection } from '../support/failure.js';
import { uniform } from '../support/ndarray.js';

function idx(shape: readonly number[], data: readonly number[], type = 0x08): Uint8Array {
  const bytes = Buffer.alloc(4 + 4 * shape.length + data.length);
  bytes.set([0, 0, type, shape.length]);
  shape.forEach((extent, axis) => bytes.writeUInt32BE(extent, 4 + 4 * axis));
  bytes.set(data, 4 + 4 * shape.length);
  return new Uint8Array(bytes);
}

const twoImages = idx([2, 2, 3], [0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255]);
const twoLabels = idx([2], [9, 0]);

function parseError(bytes: Uint8Array, rank = 3): GmrError {
  try {
    parseIdx(bytes, rank, 'digits');
  } catch (error) {
    expect(error).to.be.instanceOf(GmrError);
    return error as GmrError;
  }
  throw new Error('expected an error');
}

describe('examples/mnist idx: bytes', () => {
  it('reads shape and elements', () => {
    const { shape, data } = parseIdx(twoImages, 3, 'digits');
    expect(shape).to.deep.equal([2, 2, 3]);
    expect([...data]).to.deep.equal([0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255]);
  });

  it('reads a view into a larger buffer', () => {
    const larger = new Uint8Array(twoImages.length + 7);
    larger.set(twoImages, 5);
    expect(parseIdx(larger.subarray(5, 5 + twoImages.length), 3, 'digits').shape).to.deep.equal([2, 2, 3]);
  });

  const cases: [string, Uint8Array, string][] = [
    ['an empty file', new Uint8Array(0), 'is 0 bytes long, too short'],
    [
      'a wrong magic',
      Uint8Array.of(1, 0, 8, 3, ...twoImages.subarray(4)),
      'starts with 0x01000803, expected two zero bytes',
    ],
    ['a compressed file', Uint8Array.of(0x1f, 0x8b, 8, 0), 'gzip-compressed: unpack it first'],
    ['floats', idx([2, 2, 3], [], 0x0d), 'holds 32-bit floats, expected unsigned bytes'],
    ['an unknown type', idx([2, 2, 3], [], 0x77), 'unknown type 0x77'],
    ['another number of axes', twoLabels, 'has 1 axis, expected 3'],
    ['a truncated header', twoImages.subarray(0, 9), 'truncated in its header: 9 bytes, expected at least 16'],
    ['a missing last byte', twoImages.subarray(0, -1), 'is truncated: it has 27 bytes'],
    ['a byte too many', Uint8Array.of(...twoImages, 0), 'is too long: it has 29 bytes'],
    ['a forged count', idx([3, 2, 3], [...twoImages.subarray(16)]), 'announces [3, 2, 3], which takes 34'],
    ['forged counts that overflow 64 bits', idx([0xffffffff, 0xffffffff, 0xffffffff], [1]), 'is truncated'],
    ['a forged count of 0', idx([0, 2, 3], [...twoImages.subarray(16)]), 'is too long'],
  ];
  for (const [name, bytes, message] of cases) {
    it(`refuses ${name}`, () => {
      const error = parseError(bytes);
      expect(error.code).to.equal('invalid_file');
      expect(error.message).to.include('[idx] digits: ').and.to.include(message);
    });
  }

  it('answers every change of a header byte with an error, and of a data byte with that byte', () => {
    const random = uniform(3);
    for (let at = 0; at < twoImages.length; ++at) {
      const changed = twoImages.slice();
      changed[at]! ^= 1 + Math.floor(random() * 255);
      if (at < 16) expect(parseError(changed).code, `byte ${at}`).to.equal('invalid_file');
      else expect(parseIdx(changed, 3, 'digits').data[at - 16], `byte ${at}`).to.equal(changed[at]);
    }
  });

  it('answers truncation at any byte with an error', () => {
    for (let length = 0; length < twoImages.length; ++length) {
      expect(parseError(twoImages.subarray(0, length)).code, `${length} bytes`).to.equal('invalid_file');
    }
  });
});

describe('examples/mnist idx: files', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gmr-idx-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function readPair(images: Uint8Array, labels: Uint8Array): Promise<unknown> {
    await writeFile(join(folder, 'images'), images);
    await writeFile(join(folder, 'labels'), labels);
    try {
      return await readLabelledImages(join(folder, 'images'), join(folder, 'labels'), 10);
    } catch (error) {
      return error;
    }
  }

  async function expectRefusal(images: Uint8Array, labels: Uint8Array, message: string): Promise<void> {
    const error = (await readPair(images, labels)) as GmrError;
    expect(error).to.be.instanceOf(GmrError);
    expect(error.code).to.equal('invalid_file');
    expect(error.message).to.include(message);
  }

  it('reads a pair', async () => {
    expect(await readPair(twoImages, twoLabels)).to.deep.include({
      count: 2,
      height: 2,
      width: 3,
      labels: Uint8Array.of(9, 0),
    });
  });

  it('names the file and the position of a label out of range', () =>
    expectRefusal(twoImages, idx([2], [3, 10]), 'labels: label 1 is 10, expected 0 to 9'));

  it('refuses files that do not belong together', () =>
    expectRefusal(twoImages, idx([3], [1, 2, 3]), 'labels: has 3 labels, but'));

  it('refuses images without pixels', () => expectRefusal(idx([2, 0, 3], []), twoLabels, 'images: holds no pixels'));

  it('checks a file against its header before it takes memory', () =>
    expectRefusal(idx([0x7fffffff, 0x10000, 1], []), twoLabels, 'images: is truncated'));

  it('refuses labels with the header of images', () =>
    expectRefusal(twoImages, twoImages, 'labels: has 3 axes, expected 1'));

  it('names a file that is not there', async () => {
    try {
      await readLabelledImages(join(folder, 'none'), join(folder, 'none'), 10);
      expect.fail('expected an error');
    } catch (error) {
      expect((error as GmrError).code).to.equal('invalid_file');
      expect((error as GmrError).message).to.include('none: cannot be opened');
    }
  });

  it('does not wait for the writer of a pipe', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expectRejection(readLabelledImages(pipe, pipe, 10), 'invalid_file', 'pipe: is no regular file');
  });

  it('names a folder in place of a file', async () => {
    try {
      await readLabelledImages(folder, folder, 10);
      expect.fail('expected an error');
    } catch (error) {
      expect((error as GmrError).code).to.equal('invalid_file');
    }
  });
});
