import { expect } from 'chai';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as gmr from '../../lib/index.js';
import { runChild } from '../support/child.js';
import { expectRejection } from '../support/failure.js';
import { uniform } from '../support/ndarray.js';

const { readSafetensors, writeSafetensors } = gmr.io;

let folder = '';
let path = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'gmr-'));
  path = join(folder, 'file.safetensors');
});
after(() => rmSync(folder, { recursive: true }));

/** The bytes of a file with this header (text or an object for JSON) and as many data bytes. */
function forge(header: unknown, data: number | Uint8Array = 0, claimed?: bigint): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(text.length));
  return Buffer.concat([length, text, typeof data === 'number' ? Buffer.alloc(data) : data]);
}

function f32(shape: unknown, begin: unknown, end: unknown): object {
  return { dtype: 'F32', shape, data_offsets: [begin, end] };
}

describe('safetensors: round trip', () => {
  it('keeps tensors, arrays, shapes and metadata', async () => {
    const tensors = {
      'a.weight': gmr.tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
      targets: gmr.tensor(Int32Array.of(-1, 7)),
      doubles: { dtype: 'F64', shape: [1, 2], data: Float64Array.of(Math.PI, -0) },
      count: { dtype: 'I64', shape: [], data: BigInt64Array.of(-(2n ** 63n)) },
      bytes: Uint8Array.of(0, 128, 255),
      mask: { dtype: 'BOOL', shape: [2, 1], data: Uint8Array.of(1, 0) },
      empty: { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) },
      plain: Float32Array.of(1e-40, Infinity),
    } satisfies Record<string, gmr.io.Writable>;
    await writeSafetensors(path, tensors, { format: 'pt', 'a "quoted" name\u2028': '\\' });
    const file = await readSafetensors(path);
    expect(file.metadata).to.deep.equal({ format: 'pt', 'a "quoted" name\u2028': '\\' });
    expect(Object.fromEntries(file.tensors)).to.deep.equal({
      'a.weight': { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
      targets: { dtype: 'I32', shape: [2], data: Int32Array.of(-1, 7) },
      doubles: tensors.doubles,
      count: tensors.count,
      bytes: { dtype: 'U8', shape: [3], data: tensors.bytes },
      mask: tensors.mask,
      empty: tensors.empty,
      plain: { dtype: 'F32', shape: [2], data: tensors.plain },
    });
    expect(readdirSync(folder), 'temporary files').to.deep.equal(['file.safetensors']);
  });

  it('aligns the data and every tensor in it', async () => {
    await writeSafetensors(path, { a: Uint8Array.of(1), b: Float64Array.of(1), c: Float32Array.of(1) });
    const bytes = readFileSync(path);
    const headerBytes = Number(bytes.readBigUInt64LE());
    expect(headerBytes % 8).to.equal(0);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Record<string, { data_offsets: number[] }>;
    expect([header['b']!, header['c']!, header['a']!].map((entry) => entry.data_offsets)).to.deep.equal([
      [0, 8],
      [8, 12],
      [12, 13],
    ]);
  });

  it('writes tensors as they are at the call', async () => {
    const tensor = gmr.tensor([1, 2]);
    const written = writeSafetensors(path, { tensor });
    gmr.ops.sgd(tensor, gmr.tensor([1, 1]), null, { lr: 1, firstStep: true });
    tensor.dispose();
    await written;
    expect((await readSafetensors(path)).tensors.get('tensor')!.data).to.deep.equal(Float32Array.of(1, 2));
  });

  it('takes maps and subarrays, and names that objects give a meaning', async () => {
    const names = ['__proto__', 'constructor', '', '1', 'toString'];
    const whole = Float32Array.of(9, 1, 2, 9);
    await writeSafetensors(path, new Map(names.map((name) => [name, whole.subarray(1, 3)])));
    const { tensors } = await readSafetensors(path);
    expect([...tensors.keys()]).to.have.members(names);
    for (const { data } of tensors.values()) expect(data).to.deep.equal(Float32Array.of(1, 2));
    expect(({} as Record<string, unknown>)['dtype']).to.equal(undefined);
  });

  it('replaces a file as a whole, and keeps the old one when it fails', async () => {
    await writeSafetensors(path, { a: Float32Array.of(1) });
    await writeSafetensors(path, { b: Float32Array.of(2) });
    expect([...(await readSafetensors(path)).tensors.keys()]).to.deep.equal(['b']);
    const inUse = join(folder, 'folder');
    mkdirSync(inUse);
    await expectRejection(
      writeSafetensors(inUse, { a: Float32Array.of(1) }),
      'invalid_file',
      `[writeSafetensors] ${inUse}: `,
    );
    expect(readdirSync(folder).toSorted()).to.deep.equal(['file.safetensors', 'folder']);
    const nowhere = join(folder, 'missing', 'file');
    await expectRejection(writeSafetensors(nowhere, {}), 'invalid_file', 'ENOENT');
  });

  it('widens half precision', async () => {
    // 1, -2, smallest subnormal, largest, infinity, NaN, -0
    const half = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x7e00, 0x8000);
    const brain = Uint16Array.of(0x3f80, 0xc000, 0x0001, 0x7f7f, 0x7f80, 0x7fc0, 0x8000);
    const header = {
      half: { dtype: 'F16', shape: [7], data_offsets: [0, 14] },
      brain: { dtype: 'BF16', shape: [7], data_offsets: [14, 28] },
    };
    writeFileSync(path, forge(header, Buffer.concat([new Uint8Array(half.buffer), new Uint8Array(brain.buffer)])));
    const { tensors } = await readSafetensors(path);
    expect(tensors.get('half')).to.deep.equal({
      dtype: 'F32',
      shape: [7],
      data: Float32Array.of(1, -2, 2 ** -24, 65504, Infinity, NaN, -0),
    });
    expect(tensors.get('brain')).to.deep.equal({
      dtype: 'BF16',
      shape: [7],
      data: Float32Array.of(1, -2, 2 ** -133, 255 * 2 ** 120, Infinity, NaN, -0),
    });
  });

  it('takes no memory of the heap for the numbers of F16', async () => {
    const count = 2 ** 24;
    const header = forge({ half: { dtype: 'F16', shape: [count], data_offsets: [0, 2 * count] } });
    writeFileSync(path, header);
    truncateSync(path, header.length + 2 * count);
    const body = `const { tensors } = await gmr.io.readSafetensors(${JSON.stringify(path)});
      console.log(tensors.get('half').data.length);`;
    // A list of them would be 128 MiB.
    const { stdout, stderr } = await runChild(body, { NODE_OPTIONS: '--max-old-space-size=64' });
    expect(stdout, stderr).to.equal(`${count}\n`);
  });

  it('writes bfloat16 tensors and arrays as BF16, and what was read to the same bytes', async () => {
    const bits = Uint16Array.of(0x3f80, 0xc000, 0x0001, 0x7f7f, 0xff80, 0x8000);
    const array = { dtype: 'BF16', shape: [2], data: Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8) } as const;
    await writeSafetensors(path, { tensor: gmr.tensor(bits, [2, 3], { dtype: 'bfloat16' }), array });
    const bytes = readFileSync(path);
    const data = bytes.subarray(bytes.length - 16);
    expect(new Uint16Array(data.buffer.slice(data.byteOffset, data.byteOffset + 16))).to.deep.equal(
      Uint16Array.of(0x3f80, 0x3f82, ...bits),
    );
    const { tensors } = await readSafetensors(path);
    expect(tensors.get('tensor')).to.deep.include({ dtype: 'BF16', shape: [2, 3] });
    const again = gmr.tensor(tensors.get('tensor')!.data as Float32Array, [2, 3], { dtype: 'bfloat16' });
    await writeSafetensors(path, { tensor: again, array });
    expect(readFileSync(path)).to.deep.equal(bytes);
  });

  it('loads BF16 into parameters, which stay float32', async () => {
    const layer = new gmr.nn.Linear(2, 1, { bias: false });
    await writeSafetensors(path, { weight: gmr.tensor([[1.5, -2]], undefined, { dtype: 'bfloat16' }) });
    layer.loadStateDict((await readSafetensors(path)).tensors);
    const weight = layer.stateDict()['weight'] as gmr.Tensor;
    expect(weight.dtype).to.equal('float32');
    expect([...(await weight.data())]).to.deep.equal([1.5, -2]);
  });

  it('refuses what it cannot write', async () => {
    const refused = (tensors: unknown, message: string): Promise<void> =>
      expectRejection(writeSafetensors(path, tensors as never), 'invalid_argument', message);
    await refused({ a: [1, 2] }, 'expected tensors["a"] to be a Tensor, a typed array or { dtype, shape, data }');
    await refused({ a: null }, 'expected tensors["a"]');
    await refused(
      { a: { dtype: 'F64', shape: [1], data: new Float32Array(1) } },
      'expected tensors["a"] to hold F64 data',
    );
    await refused({ __metadata__: new Float32Array(1) }, 'no tensor of the name __metadata__');
    const short = { a: { dtype: 'F32', shape: [2], data: new Float32Array(1) } } as const;
    await expectRejection(writeSafetensors(path, short), 'invalid_shape', 'have the elements of its shape [2]');
    await expectRejection(
      writeSafetensors(path, {}, { a: 1 as never }),
      'invalid_argument',
      'metadata.a to be a string',
    );
    const gone = gmr.tensor([1]);
    gone.dispose();
    await expectRejection(writeSafetensors(path, { gone }), 'disposed', 'disposed of');
  });
});

describe('safetensors: forged files', () => {
  const good = f32([2], 0, 8);
  const cases: Record<string, [Uint8Array, string]> = {
    nothing: [new Uint8Array(0), 'it has 0 bytes'],
    'seven bytes': [new Uint8Array(7), 'it has 7 bytes'],
    'a header beyond the file': [forge('{}', 0, 3n), 'its header would have 3 bytes, but 2 follow'],
    'a header of 2^64 - 1 bytes': [forge('{}', 0, 2n ** 64n - 1n), 'its header would have 18446744073709551615 bytes'],
    'no JSON': [forge('{"a":', 0), 'its header is no JSON'],
    'an empty header': [forge(''), 'its header is no JSON'],
    'a lone quote': [forge('{"'), 'its header is no JSON'],
    'no UTF-8': [Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0x28]), 'its header is no JSON in UTF-8'],
    'an array': [forge([]), 'its header is no object'],
    'a number': [forge('1'), 'its header is no object'],
    'deep nesting': [forge(`${'['.repeat(100_000)}${']'.repeat(100_000)}`), 'nested too deeply'],
    'empty values, which take a hundred times their length': [
      forge(`{"a":[${'{},'.repeat(10_000)}{}]}`),
      'more values than its length explains',
    ],
    'a million names': [
      forge(`{"__metadata__":{${Array.from({ length: 2 ** 20 }, (_, i) => `"${i}":""`).join()}}}`),
      'more than 1048576 names',
    ],
    'a name twice': [forge(`{"a":${JSON.stringify(good)},"a":${JSON.stringify(good)}}`, 8), 'the name "a" twice'],
    'a name twice, spelled otherwise': [
      forge(`{"a":${JSON.stringify(good)},"\\u0061" :${JSON.stringify(good)}}`, 8),
      'the name "a" twice',
    ],
    'a field twice': [
      forge('{"a":{"dtype":"F32","dtype":"I32","shape":[],"data_offsets":[0,4]}}', 4),
      'the name "dtype" twice',
    ],
    'an entry that is no object': [forge({ a: 1 }), 'tensor "a" is no object'],
    'no dtype': [forge({ a: { shape: [], data_offsets: [0, 4] } }, 4), 'has dtype undefined'],
    'an unknown dtype': [forge({ a: { dtype: 'F8', shape: [], data_offsets: [0, 1] } }, 1), 'has dtype "F8"'],
    'a dtype that objects have': [
      forge({ a: { dtype: 'toString', shape: [], data_offsets: [0, 0] } }),
      'has dtype "toString"',
    ],
    'a negative extent': [forge({ a: f32([-1, -2], 0, 8) }, 8), 'has shape [-1, -2]'],
    'a fractional extent': [forge({ a: f32([0.5, 4], 0, 8) }, 8), 'has shape [0.5, 4]'],
    'a shape that is no array': [forge({ a: f32('2', 0, 8) }, 8), 'has shape "2"'],
    'too many elements': [forge({ a: f32([2 ** 40, 2 ** 40], 0, 8) }, 8), 'too many elements'],
    'too many elements times zero': [forge({ a: f32([2 ** 40, 2 ** 40, 0], 0, 0) }), 'too many elements'],
    'offsets that are no pair': [forge({ a: f32([2], 0, undefined) }, 8), 'has data_offsets'],
    'offsets backwards': [forge({ a: f32([2], 8, 0) }, 8), 'has data_offsets [8, 0]'],
    'negative offsets': [forge({ a: f32([2], -8, 0) }, 8), 'has data_offsets [-8, 0]'],
    'offsets beyond the file': [forge({ a: f32([2], 0, 8) }, 7), 'ends at byte 8 of the data, which has 7'],
    'offsets far beyond the file': [forge({ a: f32([2 ** 48], 0, 2 ** 50) }, 7), 'ends at byte'],
    'a range of another size': [forge({ a: f32([2], 0, 4) }, 4), 'takes 8 bytes, but its range has 4'],
    'overlapping ranges': [forge({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12), 'tensor "b" overlaps'],
    'equal ranges': [forge({ a: good, b: good }, 8), 'tensor "b" overlaps'],
    'a gap': [forge({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), '4 bytes before tensor "b" belong to no tensor'],
    'a gap at the front': [forge({ a: f32([1], 4, 8) }, 8), '4 bytes before tensor "a" belong to no tensor'],
    'bytes behind': [forge({ a: f32([1], 0, 4) }, 5), 'the last 1 bytes belong to no tensor'],
    'bytes without tensors': [forge({}, 5), 'the last 5 bytes belong to no tensor'],
    'metadata of another kind': [forge({ __metadata__: { epoch: 1 } }), '__metadata__ "epoch" is no string'],
    'metadata that is an array': [forge({ __metadata__: ['a'] }), '__metadata__ is no object'],
  };
  for (const [name, [bytes, message]] of Object.entries(cases)) {
    it(name, async () => {
      writeFileSync(path, bytes);
      await expectRejection(readSafetensors(path), 'invalid_file', `[readSafetensors] ${path}: `);
      await expectRejection(readSafetensors(path), 'invalid_file', message);
    });
  }

  it('a header over the limit, which is not read', async () => {
    writeFileSync(path, forge('', 0, 100_000_001n));
    truncateSync(path, 8 + 100_000_001);
    const external = process.memoryUsage().arrayBuffers;
    await expectRejection(readSafetensors(path), 'invalid_file', 'its header has 100000001 bytes, more than 100000000');
    expect(process.memoryUsage().arrayBuffers - external).to.be.lessThan(10_000_000);
    rmSync(path);
  });

  it('no file, a folder', async () => {
    await expectRejection(readSafetensors(join(folder, 'absent')), 'invalid_file', 'ENOENT');
    await expectRejection(readSafetensors(folder), 'invalid_file', 'it is no regular file');
  });

  it('harmless prototype keys, white space and empty files are read', async () => {
    writeFileSync(path, forge(`{"__proto__" \n : ${JSON.stringify(good)} , "__metadata__":{"__proto__":"x"}}   `, 8));
    const { tensors, metadata } = await readSafetensors(path);
    expect([...tensors.keys()]).to.deep.equal(['__proto__']);
    expect(Object.keys(metadata)).to.deep.equal(['__proto__']);
    expect(({} as Record<string, unknown>)['dtype']).to.equal(undefined);
    writeFileSync(path, forge({}));
    expect((await readSafetensors(path)).tensors.size).to.equal(0);
  });
});

describe('safetensors: damaged files', () => {
  const read = async (bytes: Uint8Array): Promise<gmr.io.SafetensorsFile | gmr.GmrError> => {
    writeFileSync(path, bytes);
    try {
      return await readSafetensors(path);
    } catch (error) {
      expect(error).to.be.instanceOf(gmr.GmrError);
      expect((error as gmr.GmrError).code).to.equal('invalid_file');
      expect((error as gmr.GmrError).message).to.include(path);
      return error as gmr.GmrError;
    }
  };

  async function sample(): Promise<Buffer> {
    const tensors = {
      weight: Float32Array.from({ length: 6 }, (_, i) => i),
      count: BigInt64Array.of(3n),
      mask: Uint8Array.of(1, 0, 1),
    };
    await writeSafetensors(path, tensors, { case: 'x' });
    return readFileSync(path);
  }

  it('every truncation is refused', async () => {
    const bytes = await sample();
    for (let length = 0; length < bytes.length; ++length) {
      expect(await read(bytes.subarray(0, length)), `${length} bytes`).to.be.instanceOf(gmr.GmrError);
    }
  });

  it('mutated bytes give an error or arrays of the size that was declared', async () => {
    const bytes = await sample();
    const random = uniform(20);
    let errors = 0;
    for (let round = 0; round < 600; ++round) {
      const damaged = Buffer.from(bytes);
      for (let hits = 1 + Math.floor(random() * 3); hits > 0; --hits) {
        damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
      }
      const result = await read(damaged);
      if (result instanceof gmr.GmrError) {
        errors += 1;
        continue;
      }
      for (const { shape, data } of result.tensors.values()) {
        expect(data.length).to.equal(shape.reduce((n, extent) => n * extent, 1));
      }
    }
    expect(errors).to.be.greaterThan(300);
  });
});
