// Tensors of bfloat16: what they hold, to the bit, what refuses them, and training with them. The ops' values and gradients are
// checked with their suites (test/support/op_suite.ts).
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { cpuDevices, cudaSim, devices, nameOf } from '../support/devices.js';
import { describeRows } from '../support/failure.js';
import { heldMemory } from '../support/memory.js';
import { normal, toBfloat16, uniform } from '../support/ndarray.js';

const { nn, ops } = gmr;

const float32Of = (words: readonly number[]): Float32Array => new Float32Array(Uint32Array.from(words).buffer);

function half(data: gmr.NestedNumbers, device?: gmr.Device): gmr.Tensor {
  return gmr.tensor(data, undefined, { dtype: 'bfloat16', device });
}

/** Numbers about whose rounding one may be wrong, and some of every exponent. */
function roundingCases(): Float32Array {
  const random = uniform(5);
  const words = [0x0000, 0x7fff, 0x8000, 0x8001, 0xffff].flatMap((lower) =>
    [0x3f80, 0x3f81, 0xbf80, 0xbfff, 0x0000, 0x8000, 0x0001, 0x007f, 0x0080, 0x7f7e, 0x7f7f, 0xff7f].map(
      (upper) => upper * 0x10000 + lower,
    ),
  );
  for (let i = 0; i < 4096; ++i) words.push(Math.floor(random() * 2 ** 32));
  return float32Of(words).filter((value) => !Number.isNaN(value));
}

describe('bfloat16 tensors', () => {
  it('round numbers to nearest even, take bits as they are, and give float32 back', async () => {
    const values = roundingCases();
    const x = gmr.tensor(values, undefined, { dtype: 'bfloat16', requiresGrad: true });
    expect(x.dtype).to.equal('bfloat16');
    expect([...(await x.data())]).to.deep.equal(Array.from(values, toBfloat16));
    expect([...(await half([[1, 1 + 2 ** -8]]).data())]).to.deep.equal([1, 1]);
    const bits = gmr.tensor(Uint16Array.of(0x3f80, 0xc040, 0x0001), [3, 1], { dtype: 'bfloat16' });
    expect(bits.dtype).to.equal('bfloat16');
    expect(await bits.data()).to.deep.equal(Float32Array.of(1, -3, 2 ** -133));
    expect(await half(3).item()).to.equal(3);
  });

  for (const device of devices) {
    it(`are cast as they are made, and every one of them back (${nameOf(device)})`, async () => {
      const values = roundingCases();
      const made = ops.cast(gmr.tensor(values, undefined, { device }), 'bfloat16');
      expect([...(await made.data())]).to.deep.equal(Array.from(values, toBfloat16));

      const all = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);
      const wide = ops.cast(gmr.tensor(all, undefined, { device, dtype: 'bfloat16' }), 'float32');
      const widened = await wide.data();
      expect(new Uint32Array(widened.buffer)).to.deep.equal(Uint32Array.from(all, (bits) => bits * 0x10000));
      // Back to the bits, but that a signalling NaN becomes a quiet one; GPUs have but one NaN.
      const narrow = await ops.cast(wide, 'bfloat16').data();
      const isNaNBits = (bits: number): boolean => (bits & 0x7fff) > 0x7f80;
      const quiet = (bits: number): number => (device.kind === 'cpu' ? bits | 0x40 : 0x7fff);
      expect(new Uint32Array(narrow.buffer)).to.deep.equal(
        Uint32Array.from(all, (bits) => (isNaNBits(bits) ? quiet(bits) : bits) * 0x10000),
      );
    });

    it(`keep NaN, infinities and zeros (${nameOf(device)})`, async () => {
      // NaNs whose payload is in the half that goes, and one that rounding up would turn into -0.
      const nans = float32Of([0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff]);
      expect([...(await ops.cast(gmr.tensor(nans, undefined, { device }), 'bfloat16').data())]).to.deep.equal(
        Array.from(nans, () => NaN),
      );
      expect([...(await gmr.tensor(nans, undefined, { device, dtype: 'bfloat16' }).data())]).to.deep.equal(
        Array.from(nans, () => NaN),
      );
      const x = half([NaN, Infinity, -Infinity, -0, 0, 1, -1, 2], device);
      expect([...(await ops.activation(x).data())]).to.deep.equal([NaN, Infinity, 0, -0, 0, 1, 0, 2]);
      expect([...(await ops.maxPool(x.reshape(1, 1, 8), 2).data())]).to.deep.equal([NaN, -0, 1, 2]);
      const largest = half([255 * 2 ** 120, -255 * 2 ** 120], device);
      expect([...(await ops.add(largest, largest).data())]).to.deep.equal([Infinity, -Infinity]);
    });

    it(`are turned and mirrored to the bit (${nameOf(device)})`, async () => {
      const bits = Uint16Array.from({ length: 9 }, (_, i) => 0x3f81 + 3 * i);
      const turned = ops.rotate(gmr.tensor(bits, [1, 1, 3, 3], { device, dtype: 'bfloat16' }), 90, { flip: 3 });
      const expected = Uint16Array.from([0, 3, 6, 1, 4, 7, 2, 5, 8], (i) => bits[i]!);
      expect(await turned.data()).to.deep.equal(await gmr.tensor(expected, undefined, { dtype: 'bfloat16' }).data());
    });

    it(`are summed in more digits than they have (${nameOf(device)})`, async () => {
      const ones = gmr.tensor(new Float32Array(1001).fill(1), [7, 11, 13], { device, dtype: 'bfloat16' });
      // The first pass gives rows of 143, an odd number: 1001 is no sum of rounded rows.
      const wide = ops.reduce(ones, { op: 'sum', dtype: 'float32' });
      expect([wide.dtype, await wide.item()]).to.deep.equal(['float32', 1001]);
      const channels = ops.reduce(ones, { op: 'sum', axes: [0, 2] });
      expect(channels.dtype).to.equal('bfloat16');
      expect([...(await channels.data())]).to.deep.equal(new Array<number>(11).fill(91));
      expect(await ops.reduce(ones, { op: 'sum' }).item()).to.equal(1000); // 1001 needs 10 digits; the last of 8 is worth 4
    });

    it(`a gradient has its tensor's type, also where it is cast, added up or asked for (${nameOf(device)})`, async () => {
      const x = gmr.tensor([1, 2, 3], undefined, { device, requiresGrad: true });
      const y = ops.cast(x, 'bfloat16');
      const sum = ops.add(ops.add(y, y), ops.cast(y, 'bfloat16'));
      sum.backward(half([1, 1 + 2 ** -7, -2], device));
      expect(x.grad!.dtype).to.equal('float32');
      // Added up in bfloat16: 3 + 3 * 2^-7 lies between two, of which one is even.
      const expected = [3, toBfloat16(toBfloat16(2 + 2 ** -6) + 1 + 2 ** -7), -6];
      expect([...(await x.grad!.data())]).to.deep.equal(expected);

      const leaf = gmr.tensor([2, 4], undefined, { device, dtype: 'bfloat16', requiresGrad: true });
      for (let call = 0; call < 2; ++call) ops.reduce(leaf, { op: 'sum' }).backward();
      expect([leaf.grad!.dtype, ...(await leaf.grad!.data())]).to.deep.equal(['bfloat16', 2, 2]);
      const unused = half([5], device);
      const meanOfFirst = (...xs: [gmr.Tensor, gmr.Tensor]): gmr.Tensor => ops.reduce(xs[0], { op: 'mean' });
      const [used, zero] = gmr.grad(meanOfFirst)(leaf, unused);
      expect([used.dtype, ...(await used.data())]).to.deep.equal(['bfloat16', 0.5, 0.5]);
      expect([zero.dtype, ...(await zero.data())]).to.deep.equal(['bfloat16', 0]);
    });
  }

  it('take half the memory', async () => {
    const before = await heldMemory();
    const wide = gmr.tensor(new Float32Array(1 << 16));
    const between = await heldMemory();
    const narrow = ops.cast(wide, 'bfloat16');
    const after = await heldMemory();
    expect(between.bytes - before.bytes).to.equal(2 ** 18);
    expect(after.bytes - between.bytes).to.equal(2 ** 17);
    const view = ops.cast(narrow, 'bfloat16');
    expect((await heldMemory()).bytes).to.equal(after.bytes); // the type that it has already: shared
    for (const tensor of [wide, narrow, view]) tensor.dispose();
  });
});

const image = (): gmr.Tensor => half([[[1, 2, 3]]]);
const wide = (...shape: number[]): gmr.Tensor => gmr.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const narrow = (...shape: number[]): gmr.Tensor => ops.cast(wide(...shape), 'bfloat16');
const wantsFloat32 = 'to be float32 (ops.cast makes it so), received "bfloat16"';
const wantsBfloat16 = 'to be bfloat16 (ops.cast makes it so), received "float32"';
const ring = { kernelSize: [3] };
const training = { training: true };

describeRows('bfloat16', {
  'two types in a sum': [() => ops.add(narrow(2), wide(2)), 'invalid_argument', `[add] expected b ${wantsBfloat16}`],
  'two types, the other way': [
    () => ops.add(wide(2), narrow(2)),
    'invalid_argument',
    `[add] expected b ${wantsFloat32}`,
  ],
  'another type of residual': [
    () => ops.batchNorm(narrow(2, 3), null, null, null, { ...training, residual: wide(2, 3) }),
    'invalid_argument',
    `[batch_norm] expected residual ${wantsBfloat16}`,
  ],
  'another type of residual of a layer': [
    () => new nn.BatchNorm1d(3).forward(narrow(2, 3), { residual: wide(2, 3) }),
    'invalid_argument',
    `expected residual ${wantsBfloat16}`,
  ],
  'parameters of batch norm': [
    () => ops.batchNorm(narrow(2, 3), narrow(3), null, null, training),
    'invalid_argument',
    `[batch_norm] expected weight ${wantsFloat32}`,
  ],
  'weights of a convolution': [
    () => ops.conv(image(), narrow(1, 1, 3)),
    'invalid_argument',
    `[conv] expected w ${wantsFloat32}`,
  ],
  'a bias of a convolution': [
    () => ops.conv(image(), wide(1, 1, 3), { bias: narrow(1) }),
    'invalid_argument',
    `[conv] expected bias ${wantsFloat32}`,
  ],
  'ring weights of a convolution': [
    () => ops.ringConv(image(), narrow(1, 1, 2), ring),
    'invalid_argument',
    `[ring_conv] expected v ${wantsFloat32}`,
  ],
  'ring weights to mix': [
    () => ops.ringWeight(narrow(1, 1, 2), wide(2)),
    'invalid_argument',
    `[ring_weight] expected weight ${wantsFloat32}`,
  ],
  'ring weights to expand': [
    () => ops.ringExpand(narrow(1, 1, 2), [3]),
    'invalid_argument',
    `[ring_expand] expected v ${wantsFloat32}`,
  ],
  'a parameter of a step': [
    () => ops.sgd(narrow(2), wide(2), null, { lr: 1, firstStep: true }),
    'invalid_argument',
    `[sgd] expected parameter ${wantsFloat32}`,
  ],
  'a parameter of an optimiser': [
    () => new gmr.optim.SGD([narrow(2)], { lr: 1 }),
    'invalid_argument',
    `[SGD] expected parameter 0 ${wantsFloat32}`,
  ],
  'an upstream gradient of another type': [
    () => gmr.tensor([1], undefined, { dtype: 'bfloat16', requiresGrad: true }).backward(wide(1)),
    'invalid_argument',
    `[backward] expected gradient ${wantsBfloat16}`,
  ],
  'a gradient of another type': [
    () => (narrow(2).grad = wide(2)),
    'invalid_argument',
    `[tensor] expected grad ${wantsBfloat16}`,
  ],
  labels: [
    () => ops.crossEntropy(narrow(1, 3), narrow(1)),
    'invalid_argument',
    '[cross_entropy] expected targets to be int32, received "bfloat16"',
  ],
  'a type that there is not': [
    () => ops.cast(wide(2), 'float16' as never),
    'invalid_argument',
    "[cast] expected dtype to be 'float32' or 'bfloat16', received \"float16\"",
  ],
  'a type of a sum that there is not': [
    () => ops.reduce(wide(2), { op: 'sum', dtype: 'int32' }),
    'invalid_argument',
    "[reduce] expected dtype to be 'float32' or 'bfloat16', received \"int32\"",
  ],
  'integers to cast': [
    () => ops.cast(gmr.tensor(Int32Array.of(1)), 'bfloat16'),
    'invalid_argument',
    '[cast] expected x to be float32 or bfloat16, received "int32"',
  ],
  'integers as bfloat16': [
    () => gmr.tensor(Int32Array.of(1), undefined, { dtype: 'bfloat16' }),
    'invalid_argument',
    '[tensor] expected dtype to be int32 for such data, received "bfloat16"',
  ],
  'bits as float32': [
    () => gmr.tensor(Uint16Array.of(1), undefined, { dtype: 'float32' }),
    'invalid_argument',
    '[tensor] expected dtype to be \'bfloat16\' for a Uint16Array, which is taken for its bits (Float32Array.from(data) makes numbers of them), received "float32"',
  ],
  'pixels of 16 bits': [
    () => gmr.tensor(Uint16Array.of(1)),
    'invalid_argument',
    "[tensor] expected dtype to be 'bfloat16' for a Uint16Array, which is taken for its bits (Float32Array.from(data) makes numbers of them), received undefined",
  ],
});

/** A network of the demo's kind. */
function network(options: { device: gmr.Device; generator: gmr.Generator }): gmr.nn.Sequential {
  const layer = (inputs: number, outputs: number, side: number): gmr.nn.Module[] => [
    new nn.GMRConv2d(inputs, outputs, side, { padding: 'same', bias: false, ...options }),
    new nn.BatchNorm2d(outputs, { device: options.device }),
    new nn.ReLU(),
  ];
  return new nn.Sequential(
    ...layer(1, 8, 9),
    new nn.AvgPool2d(2),
    ...layer(8, 16, 5),
    new nn.MaxPool2d(2),
    new nn.Conv2d(16, 16, 3, { padding: 1, ...options }),
    new nn.ReLU(),
    new nn.GlobalAvgPool(),
    new nn.Linear(16, 3, options),
  );
}

interface Run {
  losses: number[];
  gradientTypes: Set<string>;
}

/** Some steps on images of bars of three widths, with noise. */
async function train(dtype: 'float32' | 'bfloat16', device: gmr.Device, steps = 30): Promise<Run> {
  const generator = new gmr.Generator(3);
  using model = network({ device, generator });
  using optimizer = new gmr.optim.SGD(model, { lr: 0.05, momentum: 0.9 });
  const [batch, side] = [24, 16];
  const losses: gmr.Tensor[] = [];
  const run: Run = { losses: [], gradientTypes: new Set() };
  for (let step = 0; step < steps; ++step) {
    const labels = Int32Array.from({ length: batch }, () => generator.integer(0, 3));
    const images = Float32Array.from({ length: batch * side ** 2 }, (_, i) => {
      const period = 2 + 2 * labels[Math.floor(i / side ** 2)]!; // of the bars
      return ((i % side) % period < period / 2 ? 1 : -1) + 0.3 * generator.normal();
    });
    const loss = gmr.scope(() => {
      const x = ops.cast(gmr.tensor(images, [batch, 1, side, side], { device }), dtype);
      const logits = model.forward(x);
      expect(logits.dtype).to.equal(dtype);
      const value = ops.crossEntropy(logits, gmr.tensor(labels, undefined, { device }));
      value.backward();
      for (const parameter of model.parameters()) run.gradientTypes.add(`${parameter.dtype} ${parameter.grad!.dtype}`);
      optimizer.step();
      optimizer.zeroGrad();
      return value;
    });
    losses.push(loss);
  }
  for (const loss of losses) {
    run.losses.push(await loss.item());
    loss.dispose();
  }
  return run;
}

describe('mixed precision', () => {
  for (const device of cpuDevices) {
    it(`trains as float32 does, with float32 parameters (${nameOf(device)})`, async () => {
      const wideRun = await train('float32', device);
      const narrowRun = await train('bfloat16', device);
      expect([...narrowRun.gradientTypes]).to.deep.equal(['float32 float32']);
      const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
      // The first loss is off by the logits' rounding; later ones by noise of training, which is some percent of what was learned.
      expect(narrowRun.losses[0]!).to.be.closeTo(wideRun.losses[0]!, 0.01);
      expect(mean(wideRun.losses.slice(-5))).to.be.below(0.5 * wideRun.losses[0]!);
      const learned = wideRun.losses[0]! - mean(wideRun.losses.slice(-5));
      expect(mean(narrowRun.losses.slice(-5))).to.be.closeTo(mean(wideRun.losses.slice(-5)), 0.1 * learned);
    });
  }

  it('takes the steps of the processor on the interpreter', async function () {
    if (cudaSim === undefined) return this.skip();
    const steps = 3;
    const [wanted, received] = await Promise.all(
      [cpuDevices.at(-1)!, cudaSim].map((device) => train('bfloat16', device, steps)),
    );
    expect([...received!.gradientTypes]).to.deep.equal(['float32 float32']);
    // Logits are rounded, and on a GPU the operands of products too.
    received!.losses.forEach((loss, step) => expect(loss).to.be.closeTo(wanted!.losses[step]!, 0.02));
  }).timeout(120_000);

  it('holds half as much for the gradients', async () => {
    const device = cpuDevices[0]!;
    using model = network({ device, generator: new gmr.Generator(3) });
    const held: number[] = [];
    for (const dtype of ['float32', 'bfloat16'] as const) {
      const before = await heldMemory(device);
      const x = gmr.tensor(new Float32Array(24 * 16 * 16), [24, 1, 16, 16], { device, dtype });
      const y = model.forward(x);
      await y.data();
      held.push((await heldMemory(device)).bytes - before.bytes);
      for (const tensor of [x, y]) tensor.dispose();
    }
    // Beside the activations the tape holds indices of maxima, ring weights and statistics, of one size for both.
    expect(held[1]! / held[0]!).to.be.within(0.5, 0.6);
  });

  it('turns and mirrors change logits by rounding alone', async () => {
    const device = cpuDevices[0]!;
    const options = { device, generator: new gmr.Generator(2) };
    using model = new nn.Sequential(
      new nn.GMRConv2d(1, 6, 9, { padding: 'same', ...options }),
      new nn.ReLU(),
      new nn.AvgPool2d(2),
      new nn.GMRConv2d(6, 8, 5, { padding: 'same', ...options }),
      new nn.GlobalAvgPool(),
      new nn.Linear(8, 4, options),
    );
    const { data } = normal([2, 1, 16, 16], uniform(8));
    const x = gmr.tensor(Float32Array.from(data), [2, 1, 16, 16], { device, dtype: 'bfloat16' });
    const logits = [...(await model.forward(x).data())];
    const size = Math.max(...logits.map(Math.abs));
    for (const degrees of [0, 90, 180, 270]) {
      for (const flip of [null, 3]) {
        const turned = await model.forward(ops.rotate(x, degrees, { flip })).data();
        // An intermediate value here and there rounds the other way; each counts for a small part of a mean.
        logits.forEach((logit, i) => expect(turned[i]).to.be.closeTo(logit, 2 ** -8 * size));
      }
    }
  });
});
