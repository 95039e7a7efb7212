// What reads files and command lines, given damaged ones: an error of ours or the right result, and no more memory than
// the file justifies.
import { expect } from 'chai';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseIdx, readLabelledImages } from '../../examples/mnist/idx.js';
import { parseOptions, UsageError } from '../../examples/mnist/options.js';
import { parseCommand } from '../../lib/cli_options.js';
import * as gmr from '../../lib/index.js';
import { bytesPerElement, type StoredDType } from '../../lib/io/safetensors_header.js';
import { prototypeNames, runCases, type Random } from './cases.js';

const folder = mkdtempSync(join(tmpdir(), 'gmr-fuzz-'));
// Where a name like ../../x leads is in `folder` still.
const inner = join(folder, 'inner', 'most');
mkdirSync(inner, { recursive: true });
process.chdir(inner);
const path = join(inner, 'input');
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** A few places of `bytes` changed, cut out, doubled or filled in. */
function mutated(bytes: Uint8Array, random: Random, fillers: readonly Uint8Array[]): Uint8Array {
  let result = Buffer.from(bytes);
  const at = (): number => random.integer(0, result.length);
  for (let hits = random.integer(1, 4); hits > 0; --hits) {
    const [begin, end] = [at(), at()].toSorted((a, b) => a - b) as [number, number];
    const filler = random.chance(0.3) ? random.bytes(random.integer(1, 9)) : random.pick(fillers);
    const parts = random.pick<() => Uint8Array[]>([
      () => [result.subarray(0, begin), random.bytes(1), result.subarray(begin + 1)],
      () => [result.subarray(0, begin), filler, result.subarray(begin + filler.length)],
      () => [result.subarray(0, begin), filler, result.subarray(begin)],
      () => [result.subarray(0, begin), result.subarray(end)],
      () => [result.subarray(0, end), result.subarray(begin)],
      () => [result.subarray(0, begin)],
    ])();
    result = Buffer.concat(parts);
  }
  return result;
}

/** The codes that a reader may refuse with; whatever else is thrown ends the program. */
async function refusal(call: () => unknown, ...codes: gmr.GmrErrorCode[]): Promise<string | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    if (!(error instanceof gmr.GmrError) || !codes.includes(error.code)) throw error;
    return error.code;
  }
}

const largeNumbers = [2n ** 60n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 32n, 99_999_999n].map(
  (length) => new Uint8Array(BigUint64Array.of(length).buffer),
);
const numberTexts = '1152921504606846976 -1 1e400 0.5 null'.split(' ');
const jsonTexts = '[[[[ {"a":{ " \\u0000 , [] {} ../x "shape":[0,9007199254740991] "data_offsets":[0,0]'.split(' ');
const typeTexts = '"F64" "BF16" "F8" "__metadata__":'.split(' ');
const prototypeTexts = prototypeNames.map((name) => `"${name}":`);
const texts = [...numberTexts, ...jsonTexts, ...typeTexts, ...prototypeTexts].map((text) => Buffer.from(text));

type Stored = Readonly<Record<string, readonly [StoredDType, readonly number[]]>>;

/** A file with any dtype that can be read, which is more than we write; every eighth byte is 1, the others 0. */
function fileOf(stored: Stored, metadata: Readonly<Record<string, string>>): Buffer {
  let end = 0;
  const entries = Object.entries(stored).map(([name, [dtype, shape]]) => {
    const begin = end;
    end += bytesPerElement[dtype] * shape.reduce((count, extent) => count * extent, 1);
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const;
  });
  const header = Buffer.from(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) }));
  const length = new Uint8Array(BigUint64Array.of(BigInt(header.length)).buffer);
  return Buffer.concat([length, header, Uint8Array.from({ length: end }, (_, i) => Number(i % 8 === 0))]);
}

function headerEndOf(file: Uint8Array): number {
  return 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
}

/** The state of `network()`, each entry of a dtype of its own, widest first: so the count is aligned, and 1. */
const state = {
  'norm.weight': ['F64', [2]],
  'norm.num_batches_tracked': ['I64', []],
  'norm.bias': ['F32', [2]],
  'norm.running_mean': ['I32', [2]],
  'linear.weight': ['F16', [2, 2]],
  'linear.bias': ['BF16', [2]],
  'norm.running_var': ['U8', [2]],
  'last.weight': ['BOOL', [1, 2]],
} as const satisfies Stored;
expect(Object.values(state).map(([dtype]) => dtype)).to.have.members(Object.keys(bytesPerElement));

function network(): gmr.nn.Module {
  return new gmr.nn.Sequential({
    linear: new gmr.nn.Linear(2, 2),
    norm: new gmr.nn.BatchNorm1d(2),
    last: new gmr.nn.Linear(2, 1, { bias: false }),
  });
}

const goodFile = fileOf(state, { epoch: '7' });

const jsonValues = 'null true -1 0.5 624 4294967295 1e308 1e400 9007199254740992 "" "1" [] [[]] {} [1,2,3]'.split(' ');

/** Text of JSON with a few values replaced, doubled or named otherwise; now and then with any damage. */
function damagedJson(good: string, random: Random): string {
  if (random.chance(0.3)) return Buffer.from(mutated(Buffer.from(good), random, texts)).toString();
  let text = good;
  for (let hits = random.integer(1, 3); hits > 0; --hits) {
    const parts = [...text.matchAll(/"[\w.]+":|"\w*"|[-\d.e]+|true|false|null/g)];
    if (parts.length === 0) return text;
    const { 0: part, index } = random.chance(0.2) ? parts[0]! : random.pick(parts);
    const isKey = part.endsWith(':');
    const keys = parts.map(([other]) => other).filter((other) => other.endsWith(':'));
    const key = random.chance(0.5) && isKey ? random.pick(keys) : `"${random.pick(prototypeNames)}":`;
    const value = random.pick(jsonValues);
    const [before, after] = [text.slice(0, index), text.slice(index + part.length)];
    text = random.pick<() => string>([
      () => before + (isKey ? key : value) + after,
      () => before + (isKey ? `${key}${value},${part}` : `${part},${value}`) + after,
    ])();
  }
  return text;
}

/** A damaged header that says its own length, or damage anywhere. */
function damaged(good: Buffer, random: Random): Uint8Array {
  const headerEnd = headerEndOf(good);
  if (random.chance(0.5)) return mutated(good, random, [...texts, ...largeNumbers]);
  if (random.chance(0.2)) {
    return Buffer.concat([good.subarray(0, headerEnd), random.bytes(good.length - headerEnd)]);
  }
  const text = good.subarray(8, headerEnd);
  const header = random.chance(0.5) ? mutated(text, random, texts) : Buffer.from(damagedJson(text.toString(), random));
  const length = new Uint8Array(BigUint64Array.of(BigInt(header.length)).buffer);
  return Buffer.concat([length, header, good.subarray(headerEnd)]);
}

/** The values of a state dict, in text. */
async function valuesOf(dict: gmr.nn.StateDict): Promise<string> {
  const values = Object.entries(dict).map(async ([name, entry]) => {
    const data = entry instanceof gmr.Tensor ? await entry.data() : entry.data;
    return `${name} ${entry.shape.join()}: ${data.join()}`;
  });
  return (await Promise.all(values)).join('\n');
}

async function safetensors(random: Random): Promise<string> {
  const bytes = damaged(goodFile, random);
  writeFileSync(path, bytes);
  let file: gmr.io.SafetensorsFile | undefined;
  const code = await refusal(async () => (file = await gmr.io.readSafetensors(path)), 'invalid_file');
  if (file === undefined) return `safetensors: ${code}`;
  const arrays = [...file.tensors.values()];
  for (const { shape, data } of arrays) expect(data.length).to.equal(shape.reduce((n, extent) => n * extent, 1));
  // F16 and BF16 become twice as long.
  expect(arrays.reduce((total, { data }) => total + data.byteLength, 0)).to.be.at.most(2 * bytes.length);
  const headerEnd = headerEndOf(goodFile);
  if (goodFile.subarray(0, headerEnd).every((byte, i) => bytes[i] === byte)) {
    let position = headerEnd;
    for (const [name, [dtype]] of Object.entries(state)) {
      const { data } = file.tensors.get(name)!;
      const stored = bytes.subarray(position, (position += data.length * bytesPerElement[dtype]));
      // The halves that these bytes may be are compared one by one in test/io.
      if (dtype === 'F16') continue;
      const read = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      expect(dtype === 'BF16' ? read.filter((_, i) => i % 4 > 1) : read).to.deep.equal(stored);
    }
  }
  using model = network();
  const before = await valuesOf(model.stateDict());
  const { tensors } = file;
  const strict = random.chance(0.5);
  const outcome = await refusal(() => model.loadStateDict(tensors, { strict }), 'state_dict_mismatch');
  const after = model.stateDict();
  if (outcome !== undefined) expect(await valuesOf(after)).to.equal(before);
  const { data: count } = after['norm.num_batches_tracked'] as gmr.io.HostArray;
  expect(Number(count[0])).to.satisfy((value: number) => Number.isSafeInteger(value) && value >= 0);
  return `safetensors: read, ${outcome ?? 'loaded'}`;
}

const velocityFile = fileOf(
  { '0.linear.weight': ['F32', [2, 2]], '0.norm.bias': ['F64', [2]], '1.weight': ['BF16', [1, 2]] },
  {},
);

/** What training goes on from: the optimiser's settings as JSON, its velocities from a file. */
async function checkpoint(random: Random): Promise<string> {
  using model = network();
  using last = new gmr.nn.Linear(2, 1, { bias: false });
  using optimizer = new gmr.optim.SGD([{ params: model, lr: 0.5 }, { params: last }], { lr: 0.1, momentum: 0.9 });
  for (const parameter of [...model.parameters(), ...last.parameters()]) {
    parameter.grad = gmr.tensor(new Float32Array(parameter.size), parameter.shape);
  }
  optimizer.step();
  const state = async (): Promise<string> => {
    const { settings, velocity } = optimizer.stateDict();
    return JSON.stringify(settings) + (await valuesOf(velocity));
  };
  const before = await state();
  try {
    const good = JSON.stringify(optimizer.stateDict().settings.map((group) => ({ ...group, lr: random.next() })));
    const text = random.chance(0.6) ? damagedJson(good, random) : good;
    let settings: unknown;
    try {
      settings = JSON.parse(text);
    } catch {
      return 'checkpoint: no JSON';
    }
    writeFileSync(path, text === good || random.chance(0.3) ? damaged(velocityFile, random) : velocityFile);
    let file: gmr.io.SafetensorsFile | undefined;
    const code = await refusal(async () => (file = await gmr.io.readSafetensors(path)), 'invalid_file');
    if (file === undefined) return `checkpoint: ${code}`;
    const checkpointed = { settings, velocity: file.tensors } as gmr.optim.SGDState;
    const load = (): void => optimizer.loadStateDict(checkpointed);
    const outcome = await refusal(load, 'invalid_argument', 'state_dict_mismatch');
    if (outcome !== undefined) {
      expect(await state()).to.equal(before);
      return `checkpoint: read, ${outcome}`;
    }
    optimizer.step();
    await state();
    return 'checkpoint: read, loaded';
  } finally {
    optimizer.zeroGrad();
  }
}

/** Where a generator stood, from JSON. */
async function generator(random: Random): Promise<string> {
  const [restored, other] = [new gmr.Generator(random.seed), new gmr.Generator(random.seed)];
  let state: unknown;
  try {
    state = JSON.parse(damagedJson(JSON.stringify(new gmr.Generator(1).getState()), random));
  } catch {
    return 'generator: no JSON';
  }
  const outcome = await refusal(() => restored.setState(state as number[]), 'invalid_argument');
  if (outcome === undefined) other.setState(restored.getState());
  const drawn = Array.from({ length: 700 }, () => restored.uniform());
  expect(drawn).to.deep.equal(Array.from(drawn, () => other.uniform()));
  expect(drawn.every((value) => value >= 0 && value < 1)).to.equal(true);
  return `generator: ${outcome ?? 'goes on'}`;
}

function idxBytes(shape: readonly number[], data: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((extent, axis) => header.writeUInt32BE(extent, 4 + 4 * axis));
  return Buffer.concat([header, data]);
}

const extremes = [0, 1, 2 ** 31, 2 ** 32 - 1].map((count) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(count);
  return bytes;
});

async function idx(random: Random): Promise<string> {
  const images = mutated(idxBytes([2, 3, 3], random.bytes(18)), random, extremes);
  let code = await refusal(() => {
    const { shape, data } = parseIdx(images, 3, 'digits');
    expect(data).to.have.length(shape.reduce((count, extent) => count * extent, 1));
  }, 'invalid_file');
  const labels = idxBytes([2], Uint8Array.of(9, 0));
  const files = { images, labels: random.chance(0.5) ? labels : mutated(labels, random, extremes) };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(`${path}-${name}`, bytes);
  code = await refusal(() => readLabelledImages(`${path}-images`, `${path}-labels`, 10), 'invalid_file');
  return `idx: ${code ?? 'read'}`;
}

const options =
  'doctor --json --help -h --version -v --quick --epochs --seed --out --device -- - = -hh --jsonjson --json=true --no-json';
const numbers = '3 -1 1e3 0x10 99999999999999999999 NaN --epochs= --epochs=\u0663 --seed=+1';
const words = [
  ...options.split(' '),
  ...numbers.split(' '),
  ...prototypeNames.flatMap((name) => [name, `--${name}`, `--${name}=1`, `--no-${name}`]),
  '',
  ' ',
  '\n',
  '\0',
  'cuda:0',
  '../../x',
];

async function commandLines(random: Random): Promise<string> {
  const args = Array.from({ length: random.integer(0, 5) }, () => {
    const word = random.pick(words);
    return random.chance(0.3) ? Buffer.from(mutated(Buffer.from(word), random, texts)).toString() : word;
  });
  const command = parseCommand(args);
  expect(['doctor', 'help', 'version', 'mistake']).to.include(command.name);
  try {
    const demo = parseOptions(args);
    if (demo === undefined) return `options: ${command.name}, help`;
    expect(demo.settings.epochs).to.satisfy((epochs: number) => Number.isInteger(epochs) && epochs >= 1);
    expect(demo.settings.seed).to.satisfy((seed: number) => Number.isInteger(seed) && seed >= 0);
    return `options: ${command.name}, read`;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    expect(error.message).to.match(/^.+$/);
    return `options: ${command.name}, refused`;
  }
}

const readers = [safetensors, safetensors, checkpoint, generator, idx, commandLines];
// Files of some hundred bytes; the rest is what V8 keeps under the limits that fuzz.test.ts sets.
await runCases(async (random) => random.pick(readers)(random), 1 << 25);
// Names in files are data: nothing was written by them.
expect(readdirSync(folder, { recursive: true })).to.have.members([
  'inner',
  ...['', '/input', '/input-images', '/input-labels'].map((name) => `inner/most${name}`),
]);
