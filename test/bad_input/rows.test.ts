// Bad input that the sweep cannot make by replacing one part, or whose message matters: [what is called, code, message].
// What an op's or a layer's own test already holds is not repeated here.
import { expect } from 'chai';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as gmr from '../../lib/index.js';
import { devices } from '../support/devices.js';
import { describeRows, expectRejection, type Row } from '../support/failure.js';
import { heldMemory } from '../support/memory.js';

const { io, nn, ops, optim } = gmr;

function zeros(shape: readonly number[], options?: gmr.TensorOptions): gmr.Tensor {
  return gmr.tensor(new Float32Array(shape.reduce((count, extent) => count * extent, 1)), shape, options);
}

const leaf = (...shape: number[]): gmr.Tensor => zeros(shape, { requiresGrad: true });
const elsewhere = (...shape: number[]): gmr.Tensor => zeros(shape, { device: devices[0]! });

/** A tensor that a scope has freed. */
function freed(...shape: number[]): gmr.Tensor {
  const inside: gmr.Tensor[] = [];
  gmr.scope(() => {
    inside.push(zeros(shape));
  });
  return inside[0]!;
}

function detachedFloats(): Float32Array {
  const data = new Float32Array(4);
  structuredClone(data, { transfer: [data.buffer] });
  return data;
}

const image = zeros([1, 4, 5, 5]);
const kernel = zeros([6, 4, 3, 3]);
const ringWeights = zeros([6, 4, 2]);
const ring = { kernelSize: [3, 3] };

describeRows('convolutions', {
  'x of two axes': [
    () => ops.conv(zeros([4, 5]), kernel),
    'invalid_shape',
    '[conv] expected x to have 3 to 5 axes, received [4, 5]',
  ],
  'a kernel of another rank': [
    () => ops.conv(image, zeros([6, 4, 3])),
    'invalid_shape',
    '[conv] expected w to have 4 axes, received [6, 4, 3]',
  ],
  'other channels': [
    () => ops.conv(zeros([1, 3, 5, 5]), kernel),
    'invalid_shape',
    '[conv] expected x to have 4 channels (as w does), received [1, 3, 5, 5]',
  ],
  'other channels, transposed': [
    () => ops.convTranspose(image, kernel),
    'invalid_shape',
    '[conv_transpose] expected x to have 6 channels (as w does), received [1, 4, 5, 5]',
  ],
  'groups that divide only the inputs': [
    () => ops.conv(image, zeros([6, 1, 3, 3]), { groups: 4 }),
    'invalid_argument',
    '[conv] expected groups to divide the 4 input and 6 output channels, received 4',
  ],
  'groups that divide only the outputs, transposed': [
    () => ops.convTranspose(image, zeros([4, 1, 3, 3]), { groups: 3 }),
    'invalid_argument',
    '[conv_transpose] expected groups to divide the 4 input and 3 output channels, received 3',
  ],
  'no groups': [
    () => ops.conv(image, kernel, { groups: 0 }),
    'invalid_argument',
    '[conv] expected groups to be an integer >= 1, received 0',
  ],
  'a kernel of no taps': [
    () => ops.conv(image, zeros([6, 4, 0, 3])),
    'invalid_argument',
    '[conv] expected kernelSize[0] to be an integer in [1, 1048576], received 0',
  ],
  'steps whose span overflows': [
    () =>
      ops
        .conv(zeros([1, 1, 2, 2, 2]), zeros([1, 1, 3, 3, 2]), {
          dilation: [2 ** 20 - 1, 2 ** 20 - 1, 2 ** 20 - 33],
          padding: [2 ** 20 - 1, 2 ** 20 - 1, 2 ** 19 - 9],
        })
        .data(),
    'invalid_argument',
    "[conv] expected a tile's inputs to span at most 2^26 elements, received spans of 2097152, 2097152, 1048576",
  ],
  'steps that span more memory than there is, rings': [
    () => ops.ringConv(zeros([1, 1, 2, 2]), zeros([1, 1, 2]), { ...ring, dilation: 2 ** 16, padding: 2 ** 16 }).data(),
    'invalid_argument',
    "[ring_conv] expected a tile's inputs to span at most 2^26 elements",
  ],
  'a ring kernel of too many taps': [
    () => ops.ringConv(zeros([1, 1, 1, 1, 1]), zeros([1, 1, 1]), { kernelSize: [511, 511, 511], padding: 255 }),
    'invalid_argument',
    '[ring_conv] expected kernelSize to have at most 2^24 taps, received [511, 511, 511]',
  ],
  'rings whose table is too large': [
    () =>
      ops.ringConv(zeros([1, 1, 1, 1, 1]), zeros([1, 1, 1000]), { kernelSize: [501, 501, 1], padding: [250, 250, 0] }),
    'invalid_argument',
    "[ring_conv_forward] expected rings to be at most 2^24 when multiplied by the kernel's depth and height",
  ],
  'an even ring kernel': [
    () => ops.ringConv(image, ringWeights, { kernelSize: [3, 4] }),
    'invalid_argument',
    '[ring_conv] expected kernelSize to be odd (an even side has no centre tap',
  ],
  'an even ring kernel, transposed': [
    () => ops.ringConvTranspose(image, zeros([4, 6, 2]), { kernelSize: [2, 2] }),
    'invalid_argument',
    '[ring_conv_transpose] expected kernelSize to be odd',
  ],
  'a ring kernel of no taps': [
    () => ops.ringConv(image, ringWeights, { kernelSize: [0, 3] }),
    'invalid_argument',
    '[ring_conv] expected kernelSize[0] to be an integer >= 1, received 0',
  ],
  'a ring kernel of NaN': [
    () => ops.ringConv(image, ringWeights, { kernelSize: [NaN, 3] }),
    'invalid_argument',
    '[ring_conv] expected kernelSize[0] to be an integer >= 1, received NaN',
  ],
  'a ring kernel beyond the tables': [
    () => ops.ringConv(image, ringWeights, { kernelSize: [3, 1025] }),
    'invalid_argument',
    '[ring_conv] expected kernelSize to be at most 1023, received [3, 1025]',
  ],
  'no rings': [
    () => ops.ringConv(image, zeros([6, 4, 0]), ring),
    'invalid_shape',
    '[ring_conv] expected v to have 1 to 1023 rings, received [6, 4, 0]',
  ],
  'rings beyond the tables': [
    () => ops.ringConv(image, zeros([6, 4, 1024]), ring),
    'invalid_shape',
    '[ring_conv] expected v to have 1 to 1023 rings, received [6, 4, 1024]',
  ],
  'negative padding': [
    () => ops.ringConv(image, ringWeights, { ...ring, padding: [0, -1] }),
    'invalid_argument',
    '[ring_conv] expected padding[1] to be an integer in [0, 1048576], received -1',
  ],
  'a dilation that reaches over the input': [
    () => ops.conv(image, kernel, { dilation: 3 }),
    'invalid_shape',
    '[conv] expected x to be at least 7 long on spatial axis 0, padding included, received 5',
  ],
  'a dilation beyond all': [
    () => ops.convTranspose(image, zeros([4, 1, 3, 3]), { dilation: 2 ** 31 - 1 }),
    'invalid_argument',
    '[conv_transpose] expected dilation to be an integer in [1, 1048576], received 2147483647',
  ],
  'a padding beyond all': [
    () => ops.conv(image, kernel, { padding: 2 ** 31 - 1 }),
    'invalid_argument',
    '[conv] expected padding to be an integer in [0, 1048576], received 2147483647',
  ],
  'a padding that leaves nothing, transposed': [
    () => ops.convTranspose(image, zeros([4, 1, 3, 3]), { padding: 4 }),
    'invalid_shape',
    '[conv_transpose] expected padding to leave a result on spatial axis 0, received [4, 4]',
  ],
  'an output padding of the stride': [
    () => ops.ringConvTranspose(image, zeros([4, 6, 2]), { ...ring, stride: 2, outputPadding: 2 }),
    'invalid_argument',
    '[ring_conv_transpose] expected outputPadding to be smaller than stride or dilation, received [2, 2]',
  ],
  'a bias for other outputs': [
    () => ops.conv(image, kernel, { bias: zeros([4]) }),
    'invalid_shape',
    '[conv] expected bias to have shape [6], received [4]',
  ],
  'a bias in place of the options': [
    () => ops.conv(image, kernel, zeros([6]) as never),
    'invalid_argument',
    '[conv] expected options to be a plain object, received Tensor',
  ],
  'a stride in place of the options': [
    () => new nn.Conv2d(1, 1, 3, 2 as never),
    'invalid_argument',
    '[Conv2d] expected options to be a plain object, received 2',
  ],
  'a window of padding that would take hours': [
    () => ops.avgPool(image, 2 ** 31 - 1, { padding: 2 ** 30 - 1 }),
    'invalid_argument',
    '[avg_pool] expected kernelSize to span at most 2^24 elements, received [2147483647, 2147483647]',
  ],
  'a result beyond 2^50 elements': [
    () =>
      ops.pad(
        zeros([1, 1, 1, 1, 1]),
        Array.from({ length: 3 }, () => [0, 2 ** 31 - 1] as const),
        'zeros',
      ),
    'invalid_shape',
    '[tensor] expected the result to have at most 2^50 elements, received [1, 1, 2147483648, 2147483648, 2147483648]',
  ],
});

// Every op that takes several tensors, with its last ones on another device or freed, and one of integers.
const operands: Readonly<
  Record<string, [arguments_: string, call: (t: (...shape: number[]) => gmr.Tensor) => unknown]>
> = {
  add: ['b', (t) => ops.add(zeros([2]), t(2))],
  'batch_norm weight': ['weight', (t) => ops.batchNorm(image, t(4), null, null, { training: true })],
  'batch_norm bias': ['bias', (t) => ops.batchNorm(image, null, t(4), null, { training: true })],
  'batch_norm mean': [
    'running.mean',
    (t) => ops.batchNorm(image, null, null, { mean: t(4), variance: zeros([4]) }, { training: true }),
  ],
  'batch_norm variance': [
    'running.variance',
    (t) => ops.batchNorm(image, null, null, { mean: zeros([4]), variance: t(4) }, { training: true }),
  ],
  'batch_norm residual': [
    'residual',
    (t) => ops.batchNorm(image, null, null, null, { training: true, residual: t(1, 4, 5, 5) }),
  ],
  'conv w': ['w', (t) => ops.conv(image, t(6, 4, 3, 3))],
  'conv bias': ['bias', (t) => ops.conv(image, kernel, { bias: t(6) })],
  'convTranspose w': ['w', (t) => ops.convTranspose(image, t(4, 6, 3, 3))],
  'convTranspose bias': ['bias', (t) => ops.convTranspose(image, zeros([4, 6, 3, 3]), { bias: t(6) })],
  'ringConv v': ['v', (t) => ops.ringConv(image, t(6, 4, 2), ring)],
  'ringConv bias': ['bias', (t) => ops.ringConv(image, ringWeights, { ...ring, bias: t(6) })],
  'ringConvTranspose v': ['v', (t) => ops.ringConvTranspose(image, t(4, 6, 2), ring)],
  'ringConvTranspose bias': ['bias', (t) => ops.ringConvTranspose(image, zeros([4, 6, 2]), { ...ring, bias: t(6) })],
  'ring_weight logSigmas': ['logSigmas', (t) => ops.ringWeight(ringWeights, t(2))],
  'sgd gradient': ['gradient', (t) => ops.sgd(zeros([2]), t(2), null, { lr: 1, firstStep: true })],
  'sgd velocity': ['velocity', (t) => ops.sgd(zeros([2]), zeros([2]), t(2), { lr: 1, momentum: 1, firstStep: true })],
  'backward gradient': ['gradient', (t) => ops.activation(leaf(2)).backward(t(2))],
  'tensor grad': [
    'grad',
    (t) => {
      leaf(2).grad = t(2);
    },
  ],
};

describeRows(
  'operands',
  Object.fromEntries(
    Object.entries(operands).flatMap(([name, [argument, call]]): [string, Row][] => [
      [`${name}: another device`, [() => call(elsewhere), 'device_mismatch', `expected ${argument} to be on cpu`]],
      [
        `${name}: freed by a scope`,
        [() => call(freed), 'disposed', `expected ${argument} to be live, received a tensor of`],
      ],
      [
        `${name}: integers`,
        [
          () => call((...shape) => gmr.tensor(new Int32Array(zeros(shape).size), shape)),
          'invalid_argument',
          `expected ${argument} to be float32, received "int32"`,
        ],
      ],
    ]),
  ),
);

const cyclic: unknown[] = [];
cyclic.push(cyclic);

describeRows('tensors', {
  'an array that holds itself': [
    () => gmr.tensor(cyclic as never),
    'invalid_argument',
    '[tensor] expected the nesting of data to be an array of at most 32 integers, received [1, 1, 1',
  ],
  'a wide and deep nesting that is uneven': [
    () => gmr.tensor([[[[[[1, [2]]]]]], [[[[[3]]]]]] as never),
    'invalid_shape',
    '[tensor] expected data to be nested arrays of numbers of equal lengths',
  ],
  'options where the shape belongs': [
    () => gmr.tensor([1, 2], { dtype: 'bfloat16' } as never),
    'invalid_argument',
    '[tensor] expected shape to be an array of integers (options come third: tensor(data, undefined, options)), received Object',
  ],
  'reshape to an array': [
    () => zeros([6]).reshape([2, 3] as never),
    'invalid_argument',
    '[reshape] expected extents to be numbers, as in reshape(2, -1), received [2, 3]',
  ],
  'a shape with a hole': [
    // oxlint-disable-next-line no-sparse-arrays -- the hole is what is tested
    () => gmr.tensor(new Float32Array(2), [, 2] as never),
    'invalid_argument',
    '[tensor] expected shape[0] to be an integer >= 0, received undefined',
  ],
  'a shape of 2^32 - 1 holes': [
    () => gmr.tensor(new Float32Array(1), new Array(2 ** 32 - 1)),
    'invalid_argument',
    '[tensor] expected shape to be an array of at most 32 integers',
  ],
  'a shape beyond 2^31': [
    () => gmr.tensor(new Float32Array(1), [2 ** 31]),
    'invalid_argument',
    '[tensor] expected shape[0] to be an integer in [0, 2147483647], received 2147483648',
  ],
  'a shape whose product overflows': [
    () =>
      gmr.tensor(
        new Float32Array(1),
        Array.from({ length: 32 }, () => 2 ** 31 - 1),
      ),
    'invalid_shape',
    '[tensor] expected data to have',
  ],
  'a gradient for integers': [
    () => gmr.tensor(Int32Array.of(1), undefined, { requiresGrad: true }),
    'invalid_argument',
    '[tensor] expected requiresGrad to be set on float32 or bfloat16 only, received "int32"',
  ],
  'a constructor that is not for users': [
    () => Reflect.construct(gmr.Tensor, [{}, [1], 'float32']),
    'invalid_argument',
    '[Tensor] expected storage to come from tensor(), received Object',
  ],
  'a device that nobody opened': [
    () =>
      gmr.memory(
        Reflect.construct(gmr.Device, [
          { kind: 'cpu', level: 'x', threads: 1, name: '', memoryBytes: 0, handle: {} },
          0,
        ]) as gmr.Device,
      ),
    'invalid_argument',
    '[gmr.node] expected device to be a device handle, received an object',
  ],
  'a tensor on such a device': [
    () =>
      gmr.tensor([1], [1], {
        device: Reflect.construct(gmr.Device, [
          { kind: 'cpu', level: 'x', threads: 1, name: '', memoryBytes: 0, handle: {} },
          0,
        ]) as gmr.Device,
      }),
    'invalid_argument',
    '[gmr.node] expected device to be a device handle',
  ],
  'reshape of a freed tensor': [() => freed(2).reshape(2), 'disposed', '[reshape] expected tensor to be live'],
  'detach of a freed tensor': [() => freed(2).detach(), 'disposed', '[detach] expected tensor to be live'],
  'item of a freed tensor': [() => freed(1).item(), 'disposed', '[data] expected tensor to be live'],
});

describeRows('gradients', {
  'a gradient of a gradient': [
    () => {
      const x = leaf(2);
      ops.activation(x).backward(zeros([2]));
      x.grad!.backward(zeros([2]));
    },
    'invalid_argument',
    '[backward] expected tensor to depend on a tensor with requiresGrad, received one that does not',
  ],
  'a second backward through a part': [
    () => {
      const shared = ops.activation(leaf(2));
      ops.add(shared, zeros([2])).backward(zeros([2]));
      ops.add(shared, shared).backward(zeros([2]));
    },
    'graph_released',
    '[backward] expected graph to be whole, received one that an earlier backward() freed (at activation)',
  ],
  'backward of a detached result': [
    () => ops.activation(leaf(1)).detach().backward(),
    'invalid_argument',
    '[backward] expected tensor to depend on a tensor with requiresGrad',
  ],
  'backward of a freed result': [
    () => {
      const y = ops.activation(leaf(1));
      y.dispose();
      y.backward();
    },
    'disposed',
    '[backward] expected tensor to be live',
  ],
  'backward onto a gradient that was freed': [
    () => {
      const x = leaf(1);
      ops.activation(x).backward();
      x.grad!.dispose();
      ops.activation(x).backward();
    },
    'disposed',
    'expected tensor to be live',
  ],
  'a gradient of another shape, by hand': [
    () => {
      leaf(2).grad = zeros([1, 2]);
    },
    'invalid_shape',
    '[tensor] expected grad to have shape [2], received [1, 2]',
  ],
  'grad of a function that returns no tensor': [
    () => gmr.grad((() => 1) as never)(zeros([1])),
    'invalid_argument',
    '[grad] expected result to be a Tensor, received 1',
  ],
  'grad of a function of several elements': [
    () => gmr.grad((x: gmr.Tensor) => ops.activation(x))(zeros([2])),
    'invalid_shape',
    '[backward] expected gradient to be given for a tensor of 2 elements',
  ],
  'grad of a function that ignores its argument': [
    () => gmr.grad((x: gmr.Tensor) => zeros(x.shape))(zeros([1])),
    'invalid_argument',
    '[backward] expected tensor to depend on a tensor with requiresGrad',
  ],
  'grad of a function that promises': [
    () => gmr.grad((async (x: gmr.Tensor) => x) as never)(zeros([1])),
    'invalid_argument',
    '[grad] expected fn to be synchronous',
  ],
});

const linear = (): gmr.nn.Linear => new nn.Linear(2, 1, { bias: false });
const norm = (): gmr.nn.BatchNorm1d => new nn.BatchNorm1d(1, { affine: false });
const counted = (...data: number[]): gmr.nn.StateDict => ({
  running_mean: zeros([1]),
  running_var: zeros([1]),
  num_batches_tracked: { dtype: 'F64', shape: [], data: Float64Array.from(data) },
});

describeRows('state dicts', {
  'a missing key': [() => linear().loadStateDict({}), 'state_dict_mismatch', 'weight is missing'],
  'an unexpected key': [
    () => linear().loadStateDict({ weight: zeros([1, 2]), bias: zeros([1]) }),
    'state_dict_mismatch',
    'bias is unexpected',
  ],
  'a key that objects have': [
    () =>
      linear().loadStateDict(
        new Map([
          ['__proto__', zeros([1])],
          ['weight', zeros([1, 2])],
        ]),
      ),
    'state_dict_mismatch',
    '__proto__ is unexpected',
  ],
  'an array that does not fill its shape': [
    () => linear().loadStateDict({ weight: { dtype: 'F32', shape: [1, 2], data: new Float32Array(1) } }),
    'state_dict_mismatch',
    'weight is Object, expected a Tensor or { dtype, shape, data } whose data fills its shape',
  ],
  'a detached array': [
    () => linear().loadStateDict({ weight: { dtype: 'F32', shape: [1, 2], data: detachedFloats() } }),
    'state_dict_mismatch',
    'weight is Object, expected a Tensor or { dtype, shape, data }',
  ],
  'a bare typed array': [
    () => linear().loadStateDict({ weight: new Float32Array(2) as never }),
    'state_dict_mismatch',
    'weight is Float32Array of length 2, expected a Tensor',
  ],
  'a tensor that a scope freed': [
    () => linear().loadStateDict({ weight: freed(1, 2) }),
    'state_dict_mismatch',
    'weight was disposed of',
  ],
  'a forged count of NaN': [
    () => norm().loadStateDict(counted(NaN)),
    'state_dict_mismatch',
    'num_batches_tracked is NaN, expected a count',
  ],
  'a forged count below zero': [
    () => norm().loadStateDict(counted(-1)),
    'state_dict_mismatch',
    'num_batches_tracked is -1, expected a count',
  ],
  'a count of several': [
    () => norm().loadStateDict({ ...counted(), num_batches_tracked: zeros([2]) }),
    'state_dict_mismatch',
    'num_batches_tracked has shape [2], expected []',
  ],
  'an optimiser state that is no object': [
    () => new optim.SGD([leaf(1)], { lr: 1 }).loadStateDict(7 as never),
    'invalid_argument',
    '[SGD.loadStateDict] expected state to be a plain object, received 7',
  ],
  'a velocity that is no object': [
    () => new optim.SGD([leaf(1)], { lr: 1 }).loadStateDict({ settings: [{ lr: 1 }] } as never),
    'invalid_argument',
    '[SGD.loadStateDict] expected velocity to be a plain object or a Map, received undefined',
  ],
  'an optimiser over integers': [
    () => new optim.SGD([gmr.tensor(Int32Array.of(1))], { lr: 1 }),
    'invalid_argument',
    '[SGD] expected parameter 0 to be float32, received "int32"',
  ],
  'an optimiser over a freed tensor': [
    () => new optim.SGD([freed(1)], { lr: 1 }),
    'disposed',
    '[SGD] expected parameter 0 to be live',
  ],
  'a generator of another kind': [
    () => new nn.Linear(2, 1, { generator: { uniformArray: () => new Float32Array(2) } as never }),
    'invalid_argument',
    '[Linear] expected generator to be a Generator, received Object',
  ],
  'first values of another number': [
    () => new nn.Conv1d(1, 1, 3, { weightInit: () => new Float32Array(4) }),
    'invalid_shape',
    '[tensor] expected data to have 3 elements for shape [1, 1, 3], received Float32Array of length 4',
  ],
  "blocks of one's own": [
    () => new gmr.models.GmrResNet('mine', nn.ReLU as never, [2, 2, 2, 2], {}),
    'invalid_argument',
    '[mine] expected block to be one of this file',
  ],
  'layers that are no layers': [
    () => new nn.Sequential(5 as never),
    'invalid_argument',
    '[Sequential] expected layers to be Modules or an object of Modules, received 5',
  ],
});

describe('bad input: what a refusal leaves behind', () => {
  it('no state of the profiler', async () => {
    await expectRejection(
      gmr.profile(5 as never, async () => {}),
      'invalid_argument',
      '[device] expected device',
    );
    await expectRejection(gmr.profile(image.device, 5 as never), 'invalid_argument', '[profile] expected fn');
    expect(await gmr.profile(image.device, async () => {})).to.deep.equal([]);
  });

  it('no file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
    try {
      const path = join(folder, 'state.safetensors');
      const write = (tensors: unknown, metadata?: unknown): Promise<void> =>
        io.writeSafetensors(path, tensors as never, metadata as never);
      await expectRejection(write(5), 'invalid_argument', 'expected tensors to be a plain object or a Map, received 5');
      await expectRejection(write({}, 'x'), 'invalid_argument', 'expected metadata to be a plain object, received "x"');
      await expectRejection(
        write(new Map([[1, zeros([1])]])),
        'invalid_argument',
        'the names of tensors to be a string',
      );
      const detached = { dtype: 'F32', shape: [4], data: detachedFloats() };
      await expectRejection(write({ detached }), 'invalid_shape', 'expected tensors["detached"] to have the elements');
      // oxlint-disable-next-line no-sparse-arrays -- the hole is what is tested
      const hole = { dtype: 'F32', shape: [, 2], data: new Float32Array(2) };
      await expectRejection(write({ hole }), 'invalid_shape', 'have the elements of its shape [undefined, 2]');
      expect(existsSync(path)).to.equal(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('no tensors, in a scope', async () => {
    const before = await heldMemory();
    expect(() => gmr.scope(() => ops.conv(image, kernel, { bias: zeros([4]) }))).to.throw(gmr.GmrError);
    expect(await heldMemory()).to.deep.equal(before);
  });

  it('a scope whose result holds itself, and lives on', () => {
    const held: { x: gmr.Tensor; itself?: unknown } = { x: zeros([1]) };
    const result = gmr.scope(() => {
      held.x = zeros([2]);
      held.itself = held;
      return held;
    });
    expect(result.x.isDisposed).to.equal(false);
  });
});

describe('bad input: empty tensors of huge extents', () => {
  const huge = 2 ** 31 - 1;

  it('are computed at once', async () => {
    const sum = { op: 'sum' } as const;
    expect(await ops.reduce(zeros([huge, 0]), sum).item()).to.equal(0);
    expect(ops.reduce(zeros([huge, 0]), { ...sum, axes: [0] }).shape).to.deep.equal([0]);
    expect((await ops.activation(zeros([0, huge, huge])).data()).length).to.equal(0);
    const averaged = ops.avgPool(zeros([0, 1, huge]), 3, { stride: 1, padding: 1 });
    expect((await averaged.data()).length).to.equal(0);
    expect((await ops.maxPool(zeros([0, huge, 64]), 2).data()).length).to.equal(0);
    expect((await ops.rotate(zeros([0, huge, 3, 3]), 30).data()).length).to.equal(0);
    expect((await ops.globalAvgPool(zeros([0, huge, 3])).data()).length).to.equal(0);
  });
});
