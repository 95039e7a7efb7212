// What a tensor can be made from: typed arrays over every kind of buffer, of every realm; and that it is a copy.
import { expect } from 'chai';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { expectFailure } from '../support/failure.js';

type ResizableBuffer = ArrayBuffer & { resize(bytes: number): void };
const ResizableBuffer = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => ResizableBuffer;

const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Memory: new (size: { initial: number }) => { buffer: ArrayBuffer } };
};

function filled<A extends Float32Array | Int32Array>(array: A): A {
  array.forEach((_, i) => (array[i] = i + 1));
  return array;
}

/** Arrays of 1, 2, 3, 4. */
const arrays: Record<string, () => Float32Array | Int32Array> = {
  'an offset view': () => filled(new Float32Array(new ArrayBuffer(64), 20, 4)),
  'a view over a SharedArrayBuffer': () => filled(new Float32Array(new SharedArrayBuffer(64), 8, 4)),
  'int32 over a SharedArrayBuffer': () => filled(new Int32Array(new SharedArrayBuffer(16))),
  'a fixed view over a resizable buffer': () =>
    filled(new Float32Array(new ResizableBuffer(32, { maxByteLength: 64 }), 16, 4)),
  'a view that follows its buffer, which grew': () => {
    const buffer = new ResizableBuffer(4, { maxByteLength: 64 });
    const view = new Float32Array(buffer);
    buffer.resize(16);
    return filled(view);
  },
  'a view that follows its buffer, which shrank': () => {
    const buffer = new ResizableBuffer(64, { maxByteLength: 64 });
    const view = filled(new Float32Array(buffer));
    buffer.resize(16);
    return view;
  },
  'a view into the memory of WebAssembly': () => {
    const { buffer } = new WebAssembly.Memory({ initial: 1 });
    return filled(new Float32Array(buffer, 1024, 4));
  },
  'a Float32Array of a vm context': () => runInNewContext('Float32Array.of(1, 2, 3, 4)') as Float32Array,
  'an Int32Array of a vm context': () => runInNewContext('Int32Array.of(1, 2, 3, 4)') as Int32Array,
  'a subclass': () => filled(new (class extends Float32Array {})(4)),
};

describe('arrays that tensors are made from', () => {
  for (const device of devices) {
    for (const [name, make] of Object.entries(arrays)) {
      it(`${nameOf(device)}: ${name}, copied at the call`, async () => {
        const array = make();
        using tensor = gmr.tensor(array, undefined, { device });
        array.fill(9);
        expect(tensor.dtype).to.equal(
          Object.prototype.toString.call(array) === '[object Int32Array]' ? 'int32' : 'float32',
        );
        expect([...(await tensor.data())]).to.deep.equal([1, 2, 3, 4]);
      });
    }

    it(`${nameOf(device)}: a buffer that is transferred or shrunk after the call`, async () => {
      const gone = filled(new Float32Array(4));
      using first = gmr.tensor(gone, undefined, { device });
      structuredClone(gone, { transfer: [gone.buffer] });
      const buffer = new ResizableBuffer(16, { maxByteLength: 16 });
      using second = gmr.tensor(filled(new Float32Array(buffer)), undefined, { device });
      buffer.resize(0);
      for (const tensor of [first, second]) expect([...(await tensor.data())]).to.deep.equal([1, 2, 3, 4]);
    });
  }

  it('nested arrays of a vm context', async () => {
    const nested = runInNewContext('[[1, 2], [3, 4]]') as number[][];
    using tensor = gmr.tensor(nested, runInNewContext('[4]') as number[], runInNewContext('({})') as object);
    expect([...(await tensor.data())]).to.deep.equal([1, 2, 3, 4]);
  });

  it('a buffer that was transferred or shrunk before the call is refused, not taken for an empty array', () => {
    const detached = new Float32Array(4);
    structuredClone(detached, { transfer: [detached.buffer] });
    const buffer = new ResizableBuffer(16, { maxByteLength: 16 });
    const beyond = new Int32Array(buffer, 0, 4);
    buffer.resize(8);
    for (const data of [detached, beyond]) {
      const message = `[tensor] expected data to lie within a live buffer, received a ${data.constructor.name} whose buffer was`;
      expectFailure(() => gmr.tensor(data), 'invalid_argument', message);
      expectFailure(() => gmr.tensor(data, [0]), 'invalid_argument', message);
    }
    expect(gmr.tensor(new Float32Array(0)).shape).to.deep.equal([0]);
  });

  it('other kinds of typed arrays are refused, with what converts them', () => {
    const kinds = [Float64Array, Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint32Array];
    for (const Kind of kinds) {
      const message = `(Float32Array.from(data) converts it), received ${Kind.name} of length 2`;
      expectFailure(() => gmr.tensor(new Kind(2) as never), 'invalid_argument', message);
    }
    for (const data of [new BigInt64Array(2), new DataView(new ArrayBuffer(8)), Buffer.alloc(8), new ArrayBuffer(8)]) {
      expectFailure(
        () => gmr.tensor(data as never),
        'invalid_argument',
        'be a Float32Array, an Int32Array, a Uint16Array or nested numbers',
      );
    }
  });

  it('files take arrays of a vm context as they take others', async () => {
    const path = join(tmpdir(), `gmr-arrays-${process.pid}.safetensors`);
    const sources = ['Float32Array', 'Float64Array', 'Int32Array', 'BigInt64Array', 'Uint8Array'];
    const write = async (make: (source: string) => unknown): Promise<Buffer> => {
      const entries = sources.map((name) => [name, make(`new ${name}(3)`)]);
      await gmr.io.writeSafetensors(path, Object.fromEntries(entries) as Record<string, gmr.io.HostData>);
      return readFileSync(path);
    };
    const foreign = await write((source) => runInNewContext(source));
    // oxlint-disable-next-line typescript/no-implied-eval -- the same text, in this realm
    const own = await write((source) => new Function(`return ${source}`)() as unknown);
    rmSync(path);
    expect(foreign.equals(own)).to.equal(true);
  });
});
