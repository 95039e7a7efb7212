import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { expectFailure } from '../support/failure.js';
import { heldMemory } from '../support/memory.js';
import { expectClose, normal, uniform } from '../support/ndarray.js';

const { nn, ops } = gmr;

function random(shape: readonly number[], device?: gmr.Device): gmr.Tensor {
  return gmr.tensor(Float32Array.from(normal(shape, uniform(11)).data), shape, { device });
}

function generator(): gmr.Generator {
  return new gmr.Generator(3);
}

async function expectUniform(tensor: gmr.Tensor, bound: number): Promise<void> {
  const data = await tensor.data();
  const most = Math.max(...data.map(Math.abs));
  // The largest of n numbers falls short of the bound by 1/n of it on the average.
  expect(most, 'largest').to.be.within(bound * (1 - 8 / data.length), bound * 1.0001);
  expect(Math.min(...data), 'least').to.be.lessThan(0);
}

describe('layers: first values', () => {
  it('of ring layers', async () => {
    using layer = new nn.GMRConv2d(16, 32, 5, { groups: 2, generator: generator() });
    expect(layer.weight.shape).to.deep.equal([32, 8, 3]);
    await expectUniform(layer.weight, 1 / Math.sqrt(8 * 25));
    await expectUniform(layer.bias!, 1 / Math.sqrt(8 * 3));
    expectClose(
      await layer.logSigmas!.data(),
      [1, 1, 1].map(() => Math.log(5 / 4 / 2.355)),
      'log sigmas',
      1e-7,
    );
    using single = new nn.GMRConv1d(1, 1, 1);
    expectClose(await single.logSigmas!.data(), [Math.log(1 / 2.355)], 'log sigma of one ring', 1e-7);
    using shells = new nn.GMRConv3d(1, 1, 3, { circular: false });
    expect(shells.weight.shape).to.deep.equal([1, 1, 3]);
  });

  it('of transposed ring layers', async () => {
    using layer = new nn.GMRConvTranspose2d(32, 16, 3, { groups: 2, generator: generator() });
    expect(layer.weight.shape).to.deep.equal([32, 8, 2]);
    await expectUniform(layer.weight, 1 / Math.sqrt(8 * 9));
    await expectUniform(layer.bias!, 1 / Math.sqrt(8 * 2));
  });

  it('of plain and linear layers', async () => {
    using conv = new nn.Conv2d(16, 64, [3, 5], { groups: 4, generator: generator() });
    expect(conv.weight.shape).to.deep.equal([64, 4, 3, 5]);
    await expectUniform(conv.weight, 1 / Math.sqrt(4 * 15));
    await expectUniform(conv.bias!, 1 / Math.sqrt(4 * 15));
    using linear = new nn.Linear(50, 40, { generator: generator() });
    await expectUniform(linear.weight, 1 / Math.sqrt(50));
    await expectUniform(linear.bias!, 1 / Math.sqrt(50));
  });

  it('repeat with the seed', async () => {
    gmr.manualSeed(5);
    using first = new nn.GMRConv2d(2, 2, 3);
    gmr.manualSeed(5);
    using second = new nn.GMRConv2d(2, 2, 3);
    expect(await second.weight.data()).to.deep.equal(await first.weight.data());
  });
});

describe('layers: input', () => {
  for (const device of devices) {
    it(`may lack the batch axis (${nameOf(device)})`, async () => {
      const options = { device, generator: generator() };
      const cases: [gmr.nn.Module, number[]][] = [
        [new nn.GMRConv1d(3, 2, 3, options), [3, 9]],
        [new nn.GMRConv2d(3, 2, 3, { ...options, padding: 'same', paddingMode: 'reflect' }), [3, 6, 7]],
        [new nn.GMRConv3d(3, 2, 3, options), [3, 4, 5, 6]],
        [new nn.GMRConvTranspose2d(3, 2, 3, { ...options, stride: 2, outputPadding: 1 }), [3, 4, 4]],
        [new nn.Conv2d(3, 2, 2, options), [3, 4, 4]],
        [new nn.BatchNorm2d(3, options).eval(), [3, 4, 5]],
        [new nn.BatchNorm3d(3, options), [3, 4, 5, 2]],
        [new nn.AvgPool2d(2), [3, 4, 5]],
        [new nn.MaxPool1d(2), [3, 5]],
        [new nn.GlobalAvgPool(), [3, 4, 5]],
        [new nn.GlobalAvgPool({ spatialDims: 1 }), [3, 4]],
        [
          new nn.Sequential(new nn.GMRConv2d(3, 4, 3, options), new nn.GlobalAvgPool(), new nn.Linear(4, 2, options)),
          [3, 6, 7],
        ],
        [new nn.Linear(5, 2, options), [5]],
      ];
      for (const [layer, shape] of cases) {
        const x = random(shape, device);
        const alone = layer.forward(x);
        const batch = layer.forward(x.reshape(1, ...shape));
        expect([1, ...alone.shape]).to.deep.equal(batch.shape);
        expect(await alone.data()).to.deep.equal(await batch.data());
        layer.dispose();
      }
    });
  }

  it('of Linear may have any leading axes, also none of extent', async () => {
    using linear = new nn.Linear(3, 2, { generator: generator() });
    const x = random([2, 4, 3]);
    const y = linear.forward(x);
    expect(y.shape).to.deep.equal([2, 4, 2]);
    const [weight, bias] = [await linear.weight.data(), await linear.bias!.data()];
    const values = await x.data();
    const expected = Array.from({ length: 16 }, (_, i) => {
      const [row, o] = [Math.floor(i / 2), i % 2];
      return [0, 1, 2].reduce((sum, c) => sum + values[row * 3 + c]! * weight[o * 3 + c]!, bias[o]!);
    });
    expectClose(await y.data(), expected, 'linear');
    expect(linear.forward(random([0, 3])).shape).to.deep.equal([0, 2]);
  });

  it('of the wrong shape is refused with the layer or op', () => {
    using layer = new nn.GMRConv2d(3, 2, 3);
    expectFailure(() => layer.forward(random([3, 4])), 'invalid_shape', '[GMRConv2d] expected x to have 3 to 4 axes');
    const others: [gmr.nn.Module, string, number[]][] = [
      [layer, '[GMRConv2d] expected x to have 3 channels (inChannels)', [1, 2, 5, 5]],
      [layer, '[GMRConv2d] expected x to have 3 channels (inChannels)', [5, 2, 5]],
      [new nn.Conv3d(4, 2, 3, { groups: 2 }), '[Conv3d] expected x to have 4 channels (inChannels)', [2, 5, 5, 5]],
      [
        new nn.GMRConvTranspose1d(4, 2, 3),
        '[GMRConvTranspose1d] expected x to have 4 channels (inChannels)',
        [2, 2, 5],
      ],
      [new nn.BatchNorm1d(4), '[BatchNorm1d] expected x to have 4 channels (numFeatures)', [4, 3]],
      [new nn.BatchNorm2d(4), '[BatchNorm2d] expected x to have 4 channels (numFeatures)', [4, 3, 5, 5]],
    ];
    for (const [other, message, shape] of others) {
      const received = `${message}, received [${shape.join(', ')}]`;
      expectFailure(() => other.forward(random(shape)), 'invalid_shape', received);
    }
    const pool = new nn.GlobalAvgPool();
    expectFailure(
      () => pool.forward(random([2, 3, 4, 5, 6])),
      'invalid_shape',
      '[GlobalAvgPool(spatialDims: 2)] expected x to have 3 to 4 axes, received [2, 3, 4, 5, 6]',
    );
    using linear = new nn.Linear(3, 2);
    expectFailure(() => linear.forward(random([2, 4])), 'invalid_shape', '[Linear] expected x to have shape [2, 3]');
    expect(() => linear.forward('x' as never)).to.throw(gmr.GmrError, '[Linear] expected x to be a Tensor');
  });

  it('shorter than the window is refused with the layer, by the length of the padded axis', () => {
    const cases: [gmr.nn.Module, needed: number, axis: number, padded: number][] = [
      [new nn.GMRConv2d(3, 8, 9), 9, 0, 5],
      [new nn.GMRConv2d(3, 8, 9, { padding: [2, 1] }), 9, 1, 7],
      [new nn.Conv2d(3, 8, 3, { dilation: 4, padding: 1 }), 9, 0, 7],
      [new nn.Conv2d(3, 8, 8, { paddingMode: 'reflect', padding: 1 }), 8, 0, 7],
      [new nn.AvgPool2d([2, 6]), 6, 1, 5],
      [new nn.MaxPool2d(3, { dilation: 4, padding: 1 }), 9, 0, 7],
    ];
    for (const [layer, needed, axis, padded] of cases) {
      const expected = `x to be at least ${needed} long on spatial axis ${axis}, padding included`;
      const message = `[${layer.constructor.name}] expected ${expected}, received ${padded}`;
      for (const shape of [
        [1, 3, 5, 5],
        [3, 5, 5],
      ]) {
        expectFailure(() => layer.forward(random(shape)), 'invalid_shape', message);
      }
    }
  });
});

describe('layers: padding', () => {
  it("'same' keeps the extents, with even plain kernels as PyTorch does", async () => {
    using ring = new nn.GMRConv2d(1, 1, [3, 7], { padding: 'same', dilation: 2 });
    expect(ring.forward(random([1, 9, 9])).shape).to.deep.equal([1, 9, 9]);
    using even = new nn.Conv1d(1, 1, 4, { padding: 'same', bias: false });
    even.loadStateDict({ weight: gmr.tensor([[[1, 2, 3, 4]]]) });
    // One zero before, two behind.
    expect([...(await even.forward(gmr.tensor([[1, 1, 1, 1]])).data())]).to.deep.equal([9, 10, 6, 3]);
  });

  it('modes other than zeros equal a pad before', async () => {
    for (const paddingMode of ['reflect', 'replicate', 'circular'] as const) {
      using layer = new nn.Conv2d(2, 2, 3, { padding: [1, 2], paddingMode, generator: generator() });
      using bare = new nn.Conv2d(2, 2, 3, { generator: generator() });
      const x = random([2, 2, 5, 6]);
      const padded = ops.pad(
        x,
        [
          [1, 1],
          [2, 2],
        ],
        paddingMode,
      );
      expect(await layer.forward(x).data()).to.deep.equal(await bare.forward(padded).data());
    }
  });
});

describe('BatchNorm', () => {
  it('counts batches, and without momentum keeps the mean over all', async () => {
    using layer = new nn.BatchNorm1d(1, { momentum: null });
    layer.forward(gmr.tensor([[0], [2]]));
    layer.forward(gmr.tensor([[4], [6]]));
    expect(layer.numBatchesTracked!.value).to.equal(2);
    expectClose(await layer.runningMean!.data(), [3], 'mean', 1e-6);
    expectClose(await layer.runningVar!.data(), [2], 'variance', 1e-6);
    layer.eval().forward(gmr.tensor([[4], [6]]));
    expect(layer.numBatchesTracked!.value).to.equal(2);
  });

  it('without running statistics uses those of the batch in evaluation', async () => {
    using layer = new nn.BatchNorm2d(2, { trackRunningStats: false, affine: false });
    expect(Object.keys(layer.stateDict())).to.deep.equal([]);
    const x = random([3, 2, 4, 4]);
    const trained = await layer.forward(x).data();
    expect(await layer.eval().forward(x).data()).to.deep.equal(trained);
  });

  it('adds a residual and rectifies in one pass, batch axis or not', async () => {
    using layer = new nn.BatchNorm2d(2).eval();
    const [x, residual] = [random([2, 3, 4]), random([2, 3, 4])];
    const fused = layer.forward(x, { residual, relu: true });
    const apart = ops.activation(ops.add(layer.forward(x), residual));
    expectClose(await fused.data(), await apart.data(), 'fused');
  });
});

describe('Sequential', () => {
  it('equals its layers one by one, rectifiers behind normalisations included', async () => {
    const make = (): gmr.nn.Module[] => [
      new nn.GMRConv2d(2, 3, 3, { generator: generator() }),
      new nn.BatchNorm2d(3),
      new nn.ReLU(),
      new nn.Identity(),
      new nn.BatchNorm2d(3),
      new nn.LeakyReLU(),
    ];
    const layers = make();
    using whole = new nn.Sequential(...make());
    const x = random([2, 2, 6, 6]);
    let h = x;
    for (const layer of layers) h = layer.forward(h);
    const y = whole.forward(x);
    expectClose(await y.data(), await h.data(), 'values', 1e-6);
    expectClose(
      await (whole.layers[1] as gmr.nn.BatchNorm2d).runningVar!.data(),
      await (layers[1] as gmr.nn.BatchNorm2d).runningVar!.data(),
      'state',
    );
  });

  it('returns its input when it has no layers', () => {
    const x = random([2]);
    expect(new nn.Sequential().forward(x)).to.equal(x);
    expect(new nn.Sequential(new nn.Identity(), new nn.Identity()).forward(x).isDisposed).to.equal(false);
  });

  it('names layers as told', () => {
    using net = new nn.Sequential({
      conv: new nn.Conv1d(1, 1, 1),
      norm: new nn.BatchNorm1d(1, { trackRunningStats: false }),
    });
    expect(Object.keys(net.stateDict())).to.deep.equal(['conv.weight', 'conv.bias', 'norm.weight', 'norm.bias']);
  });
});

describe('Sequential: what it does not free', () => {
  /** Returns a tensor of its own, or one that it was given. */
  class Returning extends nn.Module {
    constructor(readonly value: gmr.Tensor) {
      super();
    }

    protected override compute(): gmr.Tensor {
      return this.value;
    }
  }

  it("a layer's parameter that it returns", () => {
    const value = random([2]);
    using net = new nn.Sequential(new nn.ReLU(), new Returning(value), new nn.Identity(), new nn.ReLU());
    for (let step = 0; step < 2; ++step) expect(net.forward(random([3])).shape).to.deep.equal([2]);
    expect(value.isDisposed).to.equal(false);
  });

  it('its input, and what the caller made in a scope', () => {
    gmr.scope(() => {
      const x = random([3]);
      const other = random([3]);
      const returning = (value: gmr.Tensor): gmr.nn.Module => new Returning(value);
      new nn.Sequential(new nn.Identity(), new nn.ReLU(), returning(x), returning(other), new nn.ReLU()).forward(x);
      expect([x.isDisposed, other.isDisposed]).to.deep.equal([false, false]);
    });
  });
});

describe('modules: memory', () => {
  function network(): gmr.nn.Module {
    return new nn.Sequential(
      new nn.GMRConv2d(2, 4, 5, { padding: 'same', paddingMode: 'reflect' }),
      new nn.BatchNorm2d(4),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Sequential(new nn.Identity(), new nn.Conv2d(4, 4, 3)),
      new nn.GlobalAvgPool(),
      new nn.Linear(4, 3),
    );
  }

  it('does not accumulate in evaluation without a scope', async () => {
    using net = network().eval();
    using x = random([2, 2, 8, 8]);
    const before = await heldMemory();
    for (let i = 0; i < 3; ++i) gmr.noGrad(() => net.forward(x)).dispose();
    net.forward(x).dispose();
    expect(await heldMemory()).to.deep.equal(before);
    expect(x.isDisposed).to.equal(false);
  });

  it('comes back after training steps in a scope', async () => {
    using net = network();
    using optimizer = new gmr.optim.SGD(net, { lr: 0.1, momentum: 0.9 });
    using x = random([2, 2, 8, 8]);
    using target = gmr.tensor(Int32Array.of(0, 2));
    const step = (): void =>
      gmr.scope(() => {
        ops.crossEntropy(net.forward(x), target).backward();
        optimizer.step();
        optimizer.zeroGrad();
      });
    step();
    const before = await heldMemory();
    for (let i = 0; i < 3; ++i) step();
    expect(await heldMemory()).to.deep.equal(before);
  });

  it('comes back after a failure inside', async () => {
    using net = new nn.Sequential(new nn.ReLU(), new nn.Conv2d(2, 2, 3), new nn.Conv2d(3, 2, 3));
    using x = random([1, 2, 8, 8]);
    const before = await heldMemory();
    expect(() => net.forward(x)).to.throw(gmr.GmrError);
    expect(await heldMemory()).to.deep.equal(before);
  });

  it('of parameters and gradients comes back with zeroGrad and dispose', async () => {
    using x = random([2, 2, 8, 8]);
    const before = await heldMemory();
    const net = network();
    const parameters = await heldMemory();
    gmr.scope(() => ops.reduce(net.forward(x), { op: 'sum' }).backward());
    expect((await heldMemory()).buffers).to.equal(parameters.buffers + [...net.parameters()].length);
    net.zeroGrad();
    expect([...net.parameters()].every(({ grad }) => grad === null)).to.equal(true);
    expect(await heldMemory()).to.deep.equal(parameters);
    net.dispose();
    expect(await heldMemory()).to.deep.equal(before);
  });
});

describe('layers: bad input', () => {
  const refusals: Record<string, () => unknown> = {
    '[GMRConv2d] expected kernelSize to have odd sides (an even side has no centre tap': () =>
      new nn.GMRConv2d(1, 1, 4),
    '[GMRConvTranspose3d] expected kernelSize to have odd sides': () => new nn.GMRConvTranspose3d(1, 1, [3, 2, 3]),
    '[GMRConv1d] expected kernelSize to be a number or an array of 1': () => new nn.GMRConv1d(1, 1, [3, 3]),
    '[GMRConv1d] expected inChannels to be an integer >= 1, received 0': () => new nn.GMRConv1d(0, 1, 3),
    '[GMRConv2d] expected outChannels to be an integer >= 1, received "4"': () => new nn.GMRConv2d(1, '4' as never, 3),
    '[GMRConv3d] expected groups to divide inChannels 4 and outChannels 6, received 4': () =>
      new nn.GMRConv3d(4, 6, 3, { groups: 4 }),
    '[GMRConv2d] expected numRings to be an integer >= 1, received 0': () => new nn.GMRConv2d(1, 1, 3, { numRings: 0 }),
    '[GMRConv2d] expected numRings to be an integer >= 2, received 1': () =>
      new nn.GMRConv2d(1, 1, 3, { numRings: 1, circular: false }),
    "[GMRConv2d] expected stride to be 1 with padding 'same', received [2, 2]": () =>
      new nn.GMRConv2d(1, 1, 3, { stride: 2, padding: 'same' }),
    "[Conv2d] expected padding to be integers, 'same' or 'valid', received \"full\"": () =>
      new nn.Conv2d(1, 1, 3, { padding: 'full' as never }),
    '[Conv2d] expected padding to be an integer >= 0, received -1': () => new nn.Conv2d(1, 1, 3, { padding: -1 }),
    '[Conv1d] expected stride to be an integer >= 1, received 0': () => new nn.Conv1d(1, 1, 3, { stride: 0 }),
    '[Conv3d] expected dilation to be a number or an array of 3': () => new nn.Conv3d(1, 1, 3, { dilation: [1, 1] }),
    '[Conv2d] expected paddingMode to be one of zeros, reflect, replicate, circular, received "mirror"': () =>
      new nn.Conv2d(1, 1, 3, { paddingMode: 'mirror' as never }),
    '[GMRConv2d] expected bias to be ': () => new nn.GMRConv2d(1, 1, 3, { bias: 1 as never }),
    '[GMRConv2d] expected gaussian to be ': () => new nn.GMRConv2d(1, 1, 3, { gaussian: 'no' as never }),
    '[GMRConvTranspose2d] expected outputPadding to be smaller than stride or dilation, received [1, 1]': () =>
      new nn.GMRConvTranspose2d(1, 1, 3, { outputPadding: 1 }),
    '[device] expected device to be': () => new nn.GMRConv2d(1, 1, 3, { device: 'tpu' as never }),
    '[Linear] expected inFeatures to be an integer >= 1, received 1.5': () => new nn.Linear(1.5, 1),
    '[BatchNorm2d] expected numFeatures to be an integer >= 1, received undefined': () =>
      new nn.BatchNorm2d(undefined as never),
    '[BatchNorm1d] expected momentum to be a finite number in [0, 1], received 2': () =>
      new nn.BatchNorm1d(1, { momentum: 2 }),
    '[BatchNorm3d] expected eps to be a finite number >= 0, received -1': () => new nn.BatchNorm3d(1, { eps: -1 }),
    '[AvgPool2d] expected kernelSize to be an integer >= 1, received 0': () => new nn.AvgPool2d(0),
    '[MaxPool3d] expected stride to be a number or an array of 3': () => new nn.MaxPool3d(2, { stride: [1] }),
    '[GlobalAvgPool] expected spatialDims to be an integer in [1, 3], received 4': () =>
      new nn.GlobalAvgPool({ spatialDims: 4 }),
    '[LeakyReLU] expected negativeSlope to be a finite number in [0, 1], received -0.1': () => new nn.LeakyReLU(-0.1),
    '[Sequential] expected layer 1 to be a Module, received "relu"': () =>
      new nn.Sequential(new nn.ReLU(), 'relu' as never),
  };
  for (const [message, construct] of Object.entries(refusals)) {
    it(message, () => expectFailure(construct, 'invalid_argument', message));
  }

  it('rings beyond the distances of taps are legal, and get no gradient', async () => {
    for (const [side, distances] of [
      [3, 3],
      [5, 5],
      [7, 8],
      [9, 13],
    ] as const) {
      using layer = new nn.GMRConv2d(1, 1, side, { numRings: 100, generator: generator() });
      ops.reduce(layer.forward(random([1, 1, 9, 9])), { op: 'sum' }).backward();
      const gradient = await layer.weight.grad!.data();
      expect(gradient.filter((value) => value !== 0)).to.have.length(distances);
    }
  });

  it('a frozen sigma is a parameter without a gradient', () => {
    using layer = new nn.GMRConv2d(1, 1, 3, { trainSigma: false });
    expect(Object.keys(layer.stateDict())).to.deep.equal(['weight', 'bias', 'log_sigmas']);
    ops.reduce(layer.forward(random([1, 1, 4, 4])), { op: 'sum' }).backward();
    expect(layer.logSigmas!.grad).to.equal(null);
    using plain = new nn.GMRConv2d(1, 1, 3, { gaussian: false });
    expect(Object.keys(plain.stateDict())).to.deep.equal(['weight', 'bias']);
  });
});
