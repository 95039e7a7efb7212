// What reads files and command lines, given damaged ones: an error of ours or the right result, and no more memory than
// the file justifies.
import { expect } from 'chai';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseIdx, readLabelledImages } from '../../examples/mnist/idx.js';
import { parseOptions, UsageError } from '../../examples/mnist/options.js';
import { parseCommand } from '../../lib/cli_options.js';
import * as gmr from '../../lib/index.js';
import { prototypeNames, runCases, type Random } from './cases.js';

const folder = mkdtempSync(join(tmpdir(), 'gmr-fuzz-'));
const path = join(folder, 'input');
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

await gmr.io.writeSafetensors(
  path,
  { weight: gmr.tensor(Float32Array.of(1, 2, 3, 4), [2, 2]), bias: new Float32Array(2), count: BigInt64Array.of(3n) },
  { epoch: '7' },
);
const goodFile = new Uint8Array(readFileSync(path));
const headerEnd = 8 + Number(new DataView(goodFile.buffer).getBigUint64(0, true));

/** A damaged header that says its own length, or damage anywhere. */
function safetensorsFile(random: Random): Uint8Array {
  if (random.chance(0.5)) return mutated(goodFile, random, [...texts, ...largeNumbers]);
  if (random.chance(0.2)) {
    return Buffer.concat([goodFile.subarray(0, headerEnd), random.bytes(goodFile.length - headerEnd)]);
  }
  const header = mutated(goodFile.subarray(8, headerEnd), random, texts);
  const length = new Uint8Array(BigUint64Array.of(BigInt(header.length)).buffer);
  return Buffer.concat([length, header, goodFile.subarray(headerEnd)]);
}

async function safetensors(random: Random): Promise<string> {
  const bytes = safetensorsFile(random);
  writeFileSync(path, bytes);
  let file: gmr.io.SafetensorsFile | undefined;
  const code = await refusal(async () => (file = await gmr.io.readSafetensors(path)), 'invalid_file');
  if (file === undefined) return `safetensors: ${code}`;
  const arrays = [...file.tensors.values()];
  for (const { shape, data } of arrays) expect(data.length).to.equal(shape.reduce((n, extent) => n * extent, 1));
  // F16 and BF16 become twice as long.
  expect(arrays.reduce((total, { data }) => total + data.byteLength, 0)).to.be.at.most(2 * bytes.length);
  if (goodFile.subarray(0, headerEnd).every((byte, i) => bytes[i] === byte)) {
    const read = arrays.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    expect(Buffer.concat(read).equals(bytes.subarray(headerEnd))).to.equal(true);
  }
  const { tensors } = file;
  using layer = new gmr.nn.Linear(2, 2);
  const strict = random.chance(0.5);
  const outcome = await refusal(() => layer.loadStateDict(tensors, { strict }), 'state_dict_mismatch');
  return `safetensors: read, ${outcome ?? 'loaded'}`;
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
  'doctor --json --help -h --quick --epochs --seed --out --device -- - = -hh --jsonjson --json=true --no-json';
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
  expect(['doctor', 'help', 'mistake']).to.include(command.name);
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

await runCases(async (random) => random.pick([safetensors, safetensors, idx, commandLines])(random), 1 << 28);
// Names in files are data: nothing was written by them.
expect(['input', 'input-images', 'input-labels']).to.include.members(readdirSync(folder));
