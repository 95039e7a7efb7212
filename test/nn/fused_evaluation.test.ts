// Convolution, batch normalisation and rectifier in one pass: in evaluation, while no gradients are recorded.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { heldMemory } from '../support/memory.js';
import { bfloat16Rounding, normal, uniform } from '../support/ndarray.js';

const { nn } = gmr;

type Conv = gmr.nn.Conv1d | gmr.nn.GMRConv1d;
type Norm = gmr.nn.BatchNorm2d;

function random(shape: readonly number[], device?: gmr.Device): gmr.Tensor {
  return gmr.tensor(Float32Array.from(normal(shape, uniform(11)).data), shape, { device });
}

const norms = { 1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d };

/** With statistics and factors of every kind: variances next to nothing and large, factors negative and zero. */
function normOf(dims: 1 | 2 | 3, channels: number, options: gmr.nn.BatchNormLayerOptions = {}): Norm {
  const norm = new norms[dims](channels, options).eval();
  const each = (values: readonly number[]): { dtype: 'F32'; shape: number[]; data: Float32Array } => ({
    dtype: 'F32',
    shape: [channels],
    data: Float32Array.from({ length: channels }, (_, c) => values[c % values.length]!),
  });
  norm.loadStateDict(
    {
      running_mean: each([0.3, -1, 40, 0, 0.01]),
      running_var: each([1, 1e-12, 3, 1e4, 0.2, 0, 7]),
      ...(norm.weight === null ? {} : { weight: each([1, -0.7, 0, 2.5]), bias: each([0.1, -0.2, 0, 5, 0.3, -4]) }),
    },
    { strict: false },
  );
  return norm;
}

interface Case {
  make: (options: gmr.nn.LayerOptions) => Conv;
  x: number[];
}

// For each kernel of the CPU and of CUDA: few, many and wide outputs, standard rings in columns and strips, kernels beyond shared memory, layers of a
// channel a group; tiles with a rest, strides, padding of values.
const cases: Readonly<Record<string, Case>> = {
  'rings, 1-D': { make: (o) => new nn.GMRConv1d(3, 7, 5, { padding: 2, ...o }), x: [2, 3, 21] },
  'rings, few outputs': { make: (o) => new nn.GMRConv2d(5, 3, 7, { padding: 'same', ...o }), x: [2, 5, 9, 10] },
  'rings, stride': { make: (o) => new nn.GMRConv2d(4, 20, 3, { stride: 2, dilation: 2, ...o }), x: [1, 4, 13, 11] },
  'rings in columns': {
    make: (o) => new nn.GMRConv2d(16, 40, 5, { padding: 'same', bias: false, ...o }),
    x: [2, 16, 9, 13],
  },
  'rings in strips': { make: (o) => new nn.GMRConv2d(6, 70, 9, { padding: 'same', ...o }), x: [1, 6, 8, 13] },
  'rings, wide': { make: (o) => new nn.GMRConv2d(9, 131, 3, { padding: 1, ...o }), x: [1, 9, 7, 7] },
  'rings, groups': {
    make: (o) => new nn.GMRConv2d(6, 34, 3, { groups: 2, padding: 1, paddingMode: 'reflect', ...o }),
    x: [3, 6, 5, 6],
  },
  'rings, large': { make: (o) => new nn.GMRConv2d(1, 5, 67, { padding: 33, ...o }), x: [1, 1, 8, 7] },
  'rings, 3-D': { make: (o) => new nn.GMRConv3d(2, 6, 3, { padding: 1, ...o }), x: [1, 2, 4, 5, 6] },
  'taps, few outputs': { make: (o) => new nn.Conv1d(8, 3, 3, o), x: [2, 8, 19] },
  taps: { make: (o) => new nn.Conv2d(6, 37, 3, { padding: 1, stride: 2, ...o }), x: [2, 6, 9, 11] },
  'taps, wide': { make: (o) => new nn.Conv2d(10, 129, 1, { bias: false, ...o }), x: [2, 10, 5, 5] },
  'taps, depthwise': { make: (o) => new nn.Conv2d(6, 6, 5, { groups: 6, padding: 2, ...o }), x: [2, 6, 9, 18] },
  'an empty batch': { make: (o) => new nn.GMRConv2d(2, 3, 3, o), x: [0, 2, 5, 5] },
};

function layersOf({ make, x }: Case, device: gmr.Device, affine = true): [Conv, Norm] {
  const conv = make({ device, generator: new gmr.Generator(3) });
  return [conv, normOf((x.length - 2) as 1 | 2 | 3, conv.outChannels, { device, affine })];
}

/** Numbers of passes, by label and pass. */
async function passesOf(x: gmr.Tensor, compute: () => gmr.Tensor): Promise<Record<string, number>> {
  const rows = await gmr.profile(x.device, async () => compute().data());
  return Object.fromEntries(rows.map(({ label, pass, count }) => [`${label} ${pass}`, count]));
}

for (const device of devices) {
  describe(`fused evaluation (${nameOf(device)})`, () => {
    for (const [name, one] of Object.entries(cases)) {
      for (const relu of [false, true]) {
        const title = `${name}${relu ? ', with a rectifier' : ''}`;

        // The same arithmetic on the same sums: nothing is rounded in between that would be in one pass.
        it(`float32, ${title}: to the bit what the passes give one by one`, async () => {
          const [conv, norm] = layersOf(one, device, !relu || one.x[0] === 1);
          const x = random(one.x, device);
          const fused = gmr.noGrad(() => new nn.Sequential(conv, norm, ...(relu ? [new nn.ReLU()] : [])).forward(x));
          const apart = norm.forward(conv.forward(x), { relu });
          expect(fused.shape).to.deep.equal(apart.shape);
          expect(await fused.data()).to.deep.equal(await apart.data());
        });

        // The sums are the same. Apart, they are rounded once more, which the normalisation scales.
        it(`bfloat16, ${title}: off by the rounding that it saves, at most`, async () => {
          const [conv, norm] = layersOf(one, device);
          const x = gmr.ops.cast(random(one.x, device), 'bfloat16');
          const fused = gmr.noGrad(() => new nn.Sequential(conv, norm, ...(relu ? [new nn.ReLU()] : [])).forward(x));
          const sums = conv.forward(x);
          const apart = norm.forward(sums, { relu });
          expect(fused.dtype).to.equal('bfloat16');
          const [all, wanted, s] = [await fused.data(), await apart.data(), await sums.data()];
          const [weight, variance] = [await norm.weight!.data(), await norm.runningVar!.data()];
          const plane = sums.size / Math.max(sums.shape[0]! * conv.outChannels, 1);
          all.forEach((y, i) => {
            const c = Math.floor(i / plane) % conv.outChannels;
            const scale = Math.abs(weight[c]!) / Math.sqrt(variance[c]! + norm.eps);
            const most = bfloat16Rounding * (scale * Math.abs(s[i]!) + Math.abs(y) + Math.abs(wanted[i]!));
            expect(Math.abs(y - wanted[i]!), `${i}: ${y} and ${wanted[i]}`).to.be.at.most(1.01 * most);
          });
        });
      }
    }

    it('rounds bfloat16 once: better than the passes one by one where the mean is far from 0', async () => {
      const [conv, norm] = [
        new nn.Conv2d(1, 1, 1, { bias: false, device }),
        new nn.BatchNorm2d(1, { affine: false, device }).eval(),
      ];
      conv.loadStateDict({ weight: { dtype: 'F32', shape: [1, 1, 1, 1], data: Float32Array.of(3) } });
      norm.loadStateDict({ running_mean: { dtype: 'F32', shape: [1], data: Float32Array.of(300) } }, { strict: false });
      const x = gmr.ops.cast(gmr.tensor([[[[100, 100.5, 101]]]], undefined, { device }), 'bfloat16');
      const y = gmr.noGrad(() => new nn.Sequential(conv, norm).forward(x));
      expect([...(await y.data())]).to.deep.equal([0, 1.5, 3]);
    });

    it('lets NaN through the rectifier, and infinities as the passes do', async () => {
      const [conv, norm] = layersOf(cases['taps']!, device);
      const exact = new nn.BatchNorm2d(conv.outChannels, { eps: 0, device }).eval(); // divides by 0
      exact.runningVar!.dispose();
      Object.assign(exact, { runningVar: gmr.tensor(new Float32Array(conv.outChannels), undefined, { device }) });
      for (const one of [norm, exact]) {
        const values = Float32Array.from(normal([1, 6, 9, 11], uniform(2)).data);
        [values[40], values[200], values[310]] = [NaN, Infinity, -Infinity];
        const x = gmr.tensor(values, [1, 6, 9, 11], { device });
        const fused = await gmr.noGrad(() => new nn.Sequential(conv, one, new nn.ReLU()).forward(x)).data();
        expect(fused).to.deep.equal(await one.forward(conv.forward(x), { relu: true }).data());
        expect(fused.some(Number.isNaN)).to.equal(true);
      }
    });

    it('takes one pass over activations, counted under the convolution', async () => {
      using net = new nn.Sequential({
        conv: new nn.GMRConv2d(2, 3, 3, { device }),
        norm: new nn.BatchNorm2d(3, { device }),
        relu: new nn.ReLU(),
        plain: new nn.Sequential(new nn.Conv2d(3, 4, 1, { device })),
        last: new nn.BatchNorm2d(4, { device }),
      }).eval();
      const x = random([1, 2, 5, 5], device);
      expect(await passesOf(x, () => gmr.noGrad(() => net.forward(x)))).to.deep.equal({
        'conv ring_weight_forward': 1,
        'norm batch_norm_scale': 1,
        'conv ring_conv_forward': 1,
        'last batch_norm_scale': 1,
        'plain.0 conv_forward': 1,
      });
    });
  });
}

describe('fused evaluation: where it does not apply', () => {
  const apart = { 'conv conv_forward': 1, 'norm batch_norm_forward_inference': 1 };
  const x = random([2, 2, 5, 5]);
  const conv = (): gmr.nn.Conv2d => new nn.Conv2d(2, 3, 3);
  const passes = (net: gmr.nn.Module, input = x): Promise<Record<string, number>> =>
    passesOf(input, () => gmr.noGrad(() => net.forward(input)));

  it('while gradients are recorded, which arrive', async () => {
    using net = new nn.Sequential({ conv: conv(), norm: new nn.BatchNorm2d(3), relu: new nn.ReLU() }).eval();
    expect(await passesOf(x, () => net.forward(x))).to.deep.equal(apart);
    gmr.ops.reduce(net.forward(x), { op: 'sum' }).backward();
    for (const [name, parameter] of net.namedParameters()) {
      if (parameter.requiresGrad) expect(parameter.grad, name).not.to.equal(null);
    }
  });

  it('in training, where running statistics move', async () => {
    using net = new nn.Sequential({ conv: conv(), norm: new nn.BatchNorm2d(3), relu: new nn.ReLU() });
    expect(await passes(net)).to.deep.equal({ 'conv conv_forward': 1, 'norm batch_norm_forward': 1 });
    const norm = net.layers[1] as gmr.nn.BatchNorm2d;
    expect(norm.numBatchesTracked!.value).to.equal(1);
    expect([...(await norm.runningMean!.data())]).not.to.deep.equal([0, 0, 0]);
  });

  it('without running statistics', async () => {
    using net = new nn.Sequential({ conv: conv(), norm: new nn.BatchNorm2d(3, { trackRunningStats: false }) }).eval();
    expect(await passes(net)).to.deep.equal({ 'conv conv_forward': 1, 'norm batch_norm_forward': 1 });
  });

  it('for derived classes, which may compute something else', async () => {
    class Doubled extends nn.Conv2d {
      protected override compute(input: gmr.Tensor): gmr.Tensor {
        const y = super.compute(input);
        return gmr.ops.add(y, y);
      }
    }
    class Shifted extends nn.BatchNorm2d {
      protected override compute(input: gmr.Tensor, fused?: gmr.nn.Fused): gmr.Tensor {
        return gmr.ops.add(super.compute(input, fused), random([2, 3, 3, 3]));
      }
    }
    class Negated extends nn.ReLU {
      protected override compute(input: gmr.Tensor): gmr.Tensor {
        return gmr.ops.activation(input, 0.5);
      }
    }
    class Twice extends nn.Sequential {
      protected override compute(input: gmr.Tensor): gmr.Tensor {
        return gmr.ops.activation(super.compute(input), 0.1);
      }
    }
    const odd: [gmr.nn.Module, gmr.nn.Module, gmr.nn.Module][] = [
      [new Doubled(2, 3, 3), normOf(2, 3), new nn.ReLU()],
      [conv(), new Shifted(3).eval(), new nn.ReLU()],
      [conv(), normOf(2, 3), new Negated()],
      [new Twice(conv()), normOf(2, 3), new nn.ReLU()],
    ];
    for (const layers of odd) {
      const y = gmr.noGrad(() => new nn.Sequential(...layers).eval().forward(x));
      let h = x;
      for (const layer of layers) h = layer.forward(h);
      expect(await y.data(), layers.map((layer) => layer.constructor.name).join()).to.deep.equal(await h.data());
    }
  });

  it('where a layer has a forward of its own', async () => {
    const layers = [conv(), normOf(2, 3)] as const;
    const calls: string[] = [];
    for (const layer of layers) {
      const forward = layer.forward.bind(layer);
      layer.forward = (...args: [gmr.Tensor]) => {
        calls.push(layer.constructor.name);
        return forward(...args);
      };
      gmr.noGrad(() => new nn.Sequential(...layers).forward(x));
    }
    expect(calls).to.deep.equal(['Conv2d', 'Conv2d', 'BatchNorm2d']);
  });

  it('without a batch axis: of [C, W] the normalisation behind takes C for the batch', async () => {
    const layers = [new nn.Conv1d(2, 4, 3), normOf(1, 5)] as const;
    using net = new nn.Sequential(...layers).eval();
    const input = random([2, 7]);
    const y = gmr.noGrad(() => net.forward(input));
    expect(await y.data()).to.deep.equal(await layers[1].forward(layers[0].forward(input)).data());
  });

  it('for layers that do not fit: the error is that of the layer', () => {
    const fails = (norm: gmr.nn.Module): string => {
      try {
        gmr.noGrad(() => new nn.Sequential(conv(), norm).eval().forward(x));
      } catch (error) {
        return (error as Error).message;
      }
      return 'nothing';
    };
    expect(fails(new nn.BatchNorm2d(4))).to.match(/^in 1: \[BatchNorm2d\] expected x to have 4 channels/);
    expect(fails(new nn.BatchNorm3d(3))).to.match(/^in 1: \[BatchNorm3d\] expected x to have 3 channels/);
    expect(fails(new nn.BatchNorm2d(3, { device: devices.at(-1)! }))).to.match(
      /^in 1: \[batch_norm\] expected weight to be on/,
    );
  });
});

describe('fused evaluation: networks', () => {
  it('frees what it makes', async () => {
    using net = new nn.Sequential(new nn.GMRConv2d(2, 3, 3), new nn.BatchNorm2d(3), new nn.ReLU()).eval();
    using x = random([2, 2, 8, 8]);
    const before = await heldMemory();
    for (let i = 0; i < 3; ++i) gmr.noGrad(() => net.forward(x)).dispose();
    expect(await heldMemory()).to.deep.equal(before);
  });

  for (const make of [gmr.models.gmrResnet18, gmr.models.gmrResnet50]) {
    it(`${make.name}: the same logits, in fewer passes`, async () => {
      using model = make({ numClasses: 3, inplanes: 4, generator: new gmr.Generator(5) });
      const x = random([2, 3, 32, 32]);
      model.forward(x); // moves the running statistics
      model.eval();
      const fused = gmr.noGrad(() => model.forward(x));
      expect(await fused.data()).to.deep.equal(await model.forward(x).data());
      const normsIn = async (compute: () => gmr.Tensor): Promise<string[]> =>
        Object.keys(await passesOf(x, compute))
          .filter((key) => key.endsWith('batch_norm_forward_inference'))
          .map((key) => key.split(' ')[0]!);
      // The last of a block adds the residual, in a pass of its own.
      const last = make === gmr.models.gmrResnet18 ? /^layer\d\.\d\.bn2$/ : /^layer\d\.\d\.bn3$/;
      const left = await normsIn(() => gmr.noGrad(() => model.forward(x)));
      expect(left.filter((label) => !last.test(label))).to.deep.equal([]);
      expect((await normsIn(() => model.forward(x))).length).to.be.above(2 * left.length);
    });
  }
});
