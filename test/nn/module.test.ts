import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import * as gmr from '../../lib/index.js';
import { devices } from '../support/devices.js';
import { expectFailure, expectRejection } from '../support/failure.js';

const { nn } = gmr;

class Net extends nn.Module {
  readonly conv1: gmr.nn.GMRConv2d;
  readonly bn1: gmr.nn.BatchNorm2d;
  readonly heads: readonly gmr.nn.Linear[];

  constructor(device?: gmr.Device) {
    super();
    const options = { device, generator: new gmr.Generator(1) };
    this.conv1 = new nn.GMRConv2d(2, 3, 3, options);
    this.bn1 = new nn.BatchNorm2d(3, options);
    this.heads = [new nn.Linear(3, 2, options), new nn.Linear(2, 2, { ...options, bias: false })];
  }

  protected override compute(x: gmr.Tensor): gmr.Tensor {
    let h = gmr.ops.globalAvgPool(this.bn1.forward(this.conv1.forward(x), { relu: true }));
    for (const head of this.heads) h = head.forward(h);
    return h;
  }
}

const parameterNames = [
  'conv1.weight',
  'conv1.bias',
  'conv1.log_sigmas',
  'bn1.weight',
  'bn1.bias',
  'heads.0.weight',
  'heads.0.bias',
  'heads.1.weight',
];
const bufferNames = ['bn1.running_mean', 'bn1.running_var', 'bn1.num_batches_tracked'];

function f32(shape: number[], value: number): gmr.io.HostArray {
  const size = shape.reduce((n, extent) => n * extent, 1);
  return { dtype: 'F32', shape, data: new Float32Array(size).fill(value) };
}

async function snapshot(model: gmr.nn.Module): Promise<Record<string, number[]>> {
  const entries = Object.entries(model.stateDict()).map(async ([name, entry]) => {
    const data = entry instanceof gmr.Tensor ? await entry.data() : entry.data;
    return [name, Array.from(data, Number)] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

describe('Module: structure', () => {
  it('finds parameters, buffers and children by property, under the names of the reference', () => {
    using net = new Net();
    expect([...net.namedParameters()].map(([name]) => name)).to.deep.equal(parameterNames);
    expect([...net.namedBuffers()].map(([name]) => name)).to.deep.equal(bufferNames);
    expect(Object.keys(net.stateDict())).to.have.members([...parameterNames, ...bufferNames]);
    expect([...net.namedChildren()].map(([name]) => name)).to.deep.equal(['conv1', 'bn1', 'heads.0', 'heads.1']);
    expect([...net.modules()]).to.have.length(5);
  });

  it('prints as a tree, with what layers were made with', () => {
    using net = new nn.Sequential({
      body: new nn.Sequential(
        new nn.GMRConv2d(1, 8, 9, { padding: 'same' }),
        new nn.Conv1d(1, 8, 4, { padding: 'same', bias: false }),
      ),
      pool: new nn.AvgPool2d([2, 3]),
      other: new (class Own extends nn.ReLU {})(),
    });
    const text = `Sequential(
  (body) Sequential(
    (0) GMRConv2d(inChannels: 1, outChannels: 8, kernelSize: 9, padding: 4)
    (1) Conv1d(inChannels: 1, outChannels: 8, kernelSize: 4, padding: [1, 2], bias: false)
  )
  (pool) AvgPool2d(kernelSize: [2, 3])
  (other) Own()
)`;
    expect(String(net)).to.equal(text);
    expect(inspect(net)).to.equal(text);
    expect(String(new Net())).to.match(/^Net\(\n {2}\(conv1\) GMRConv2d.*\n.*\n {2}\(heads\.0\) Linear\(/);
  });

  it('prints of layers what they must be told, and what differs from the defaults', () => {
    const [device, ring] = ['cpu', { numRings: 100, circular: false, gaussian: false, trainSigma: false }] as const;
    const conv = { stride: 2, padding: 1, dilation: [1, 2], groups: 4, bias: false, device } as const;
    const channels = 'inChannels: 4, outChannels: 8, kernelSize: 9';
    const geometry = 'stride: 2, padding: 1, dilation: [1, 2], groups: 4';
    const rings = 'numRings: 100, circular: false, gaussian: false, trainSigma: false';
    const lines: Record<string, gmr.nn.AnyModule> = {
      [`Conv2d(${channels})`]: new nn.Conv2d(4, 8, 9),
      [`Conv2d(${channels}, ${geometry}, paddingMode: reflect, bias: false)`]: new nn.Conv2d(4, 8, 9, {
        ...conv,
        paddingMode: 'reflect',
      }),
      [`GMRConv2d(${channels})`]: new nn.GMRConv2d(4, 8, 9, { numRings: 5 }),
      [`GMRConv2d(${channels}, circular: false)`]: new nn.GMRConv2d(4, 8, 9, { circular: false }),
      [`GMRConv2d(${channels}, ${geometry}, bias: false, ${rings})`]: new nn.GMRConv2d(4, 8, 9, { ...conv, ...ring }),
      [`GMRConvTranspose2d(${channels})`]: new nn.GMRConvTranspose2d(4, 8, 9),
      [`GMRConvTranspose2d(${channels}, ${geometry.replace('1,', '1, outputPadding: 1,')}, bias: false, ${rings})`]:
        new nn.GMRConvTranspose2d(4, 8, 9, { ...conv, ...ring, outputPadding: 1 }),
      'Linear(inFeatures: 2, outFeatures: 3)': new nn.Linear(2, 3),
      'Linear(inFeatures: 2, outFeatures: 3, bias: false)': new nn.Linear(2, 3, { bias: false }),
      'BatchNorm1d(numFeatures: 2)': new nn.BatchNorm1d(2),
      'BatchNorm1d(numFeatures: 2, eps: 0.1, momentum: null, affine: false, trackRunningStats: false)':
        new nn.BatchNorm1d(2, { eps: 0.1, momentum: null, affine: false, trackRunningStats: false }),
      'AvgPool1d(kernelSize: 2)': new nn.AvgPool1d(2),
      'AvgPool1d(kernelSize: 2, stride: 1, padding: 1, countIncludePad: false)': new nn.AvgPool1d(2, {
        stride: 1,
        padding: 1,
        countIncludePad: false,
      }),
      'MaxPool3d(kernelSize: 2)': new nn.MaxPool3d(2),
      'MaxPool3d(kernelSize: 2, stride: 1, padding: 1, dilation: 2)': new nn.MaxPool3d(2, {
        stride: 1,
        padding: 1,
        dilation: 2,
      }),
    };
    for (const [line, layer] of Object.entries(lines)) expect(String(layer)).to.equal(line);
  });

  it('yields a shared parameter once, and has both names in the state dict', () => {
    const shared = new nn.Linear(2, 2);
    using net = new nn.Sequential(shared, shared);
    expect([...net.parameters()]).to.have.length(2);
    expect(Object.keys(net.stateDict())).to.have.members(['0.weight', '0.bias', '1.weight', '1.bias']);
  });

  it('switches all modules between training and evaluation', () => {
    using net = new Net();
    expect(net.eval()).to.equal(net);
    expect([...net.modules()].map(({ training }) => training)).to.deep.equal([false, false, false, false, false]);
    expect(net.train().bn1.training).to.equal(true);
  });

  it('keeps parameters that are made in a scope', async () => {
    using net = gmr.scope(() => {
      const made = new Net();
      return { made };
    }).made;
    expect(await net.conv1.weight.data()).to.have.length(3 * 2 * 2);
  });

  it('labels passes with the paths of modules', async () => {
    using net = new nn.Sequential({
      body: new nn.Sequential(new nn.ReLU(), new nn.GMRConv2d(2, 2, 3)),
      tail: new nn.LeakyReLU(),
    });
    const x = gmr.tensor(new Float32Array(50), [1, 2, 5, 5], { requiresGrad: true });
    const rows = await gmr.profile(x.device, async () => {
      const y = gmr.ops.reduce(net.forward(x), { op: 'sum' });
      y.backward();
      await y.data();
    });
    const labelsOf = (pass: string): string[] => rows.filter((row) => row.pass === pass).map((row) => row.label);
    expect(labelsOf('ring_conv_forward')).to.deep.equal(['body.1']);
    expect(labelsOf('ring_conv_backward_weight')).to.deep.equal(['body.1']);
    expect(labelsOf('activation_forward')).to.have.members(['body.0', 'tail']);
  });
});

/** What `forward` throws. */
function failureOf(model: gmr.nn.Module, x: unknown): gmr.GmrError {
  try {
    model.forward(x as gmr.Tensor);
  } catch (error) {
    return error as gmr.GmrError;
  }
  return expect.fail('expected forward to throw');
}

describe('Module: failures', () => {
  const image = gmr.tensor(new Float32Array(32 * 32), [1, 1, 32, 32]);

  it('say in which layer they came up, once', () => {
    using net = new nn.Sequential({
      body: new nn.Sequential(new nn.ReLU(), new nn.Sequential(new nn.Conv2d(3, 2, 3))),
    });
    const error = failureOf(net, image);
    expect(error).to.be.instanceOf(gmr.GmrError).with.property('code', 'invalid_shape');
    const message = 'in body.1.0: [Conv2d] expected x to have 3 channels (inChannels), received [1, 1, 32, 32]';
    expect(error.message).to.equal(message);
    expect(error.stack)
      .to.include(message)
      .and.to.match(/at .*compute/);
    expect(failureOf(net.layers[0]!, image).message).to.match(/^in 1\.0: \[Conv2d\]/);
  });

  it('say so in a ResNet, and while it is profiled', async () => {
    using net = gmr.models.gmrResnet18({ inChannels: 1, inplanes: 1 });
    net.layer2.eval();
    Object.assign(net.layer2.layers[1]!, { conv2: new nn.Conv2d(7, 2, 1) });
    expect(failureOf(net, image).message).to.match(/^in layer2\.1\.conv2: \[Conv2d\] expected x/);
    await gmr.profile(image.device, async () => {
      expect(failureOf(net, image).message).to.match(/^in layer2\.1\.conv2: \[Conv2d\] expected x/);
    });
  });

  it('keep their cause', () => {
    const cause = new Error('the first');
    class Failing extends nn.Module {
      protected override compute(): gmr.Tensor {
        throw new gmr.GmrError('cancelled', 'stopped at $&', { cause });
      }
    }
    const error = failureOf(new nn.Sequential({ last: new Failing() }), image);
    expect(error).to.include({ message: 'in last: stopped at $&', code: 'cancelled', cause });
    expect(error.stack).to.include('in last: stopped at $&');
  });

  it('are as they were where there is no parent, and where they are no GmrError', () => {
    expect(failureOf(new nn.Conv2d(3, 2, 3), image).message).to.match(/^\[Conv2d\]/);
    class Wrong extends nn.Module {
      protected override compute(): gmr.Tensor {
        throw new RangeError('mine');
      }
    }
    expect(failureOf(new nn.Sequential(new Wrong()), image))
      .to.be.instanceOf(RangeError)
      .with.property('message', 'mine');
  });
});

describe('Module: state dicts', () => {
  it('round-trips through a file to the bit', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
    try {
      using source = new Net();
      using target = new Net();
      source.bn1.numBatchesTracked!.value = 12;
      const path = join(folder, 'net.safetensors');
      await gmr.io.writeSafetensors(path, source.stateDict());
      const { tensors } = await gmr.io.readSafetensors(path);
      expect(target.loadStateDict(tensors)).to.deep.equal({ missing: [], unexpected: [] });
      expect(await snapshot(target)).to.deep.equal(await snapshot(source));
      expect(tensors.get('bn1.num_batches_tracked')).to.deep.equal({
        dtype: 'I64',
        shape: [],
        data: BigInt64Array.of(12n),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('takes tensors, arrays of any dtype, and keeps its own tensors', async () => {
    using net = new Net();
    const { weight, bias } = net.heads[0]!;
    net.loadStateDict(
      {
        'heads.0.weight': gmr.tensor(new Float32Array(6).fill(3), [2, 3]),
        'heads.0.bias': { dtype: 'F64', shape: [2], data: Float64Array.of(1.5, 2) },
        'bn1.weight': { dtype: 'I64', shape: [3], data: BigInt64Array.of(1n, 2n, 3n) },
        'bn1.num_batches_tracked': { dtype: 'F32', shape: [], data: Float32Array.of(4) },
      },
      { strict: false },
    );
    expect(net.heads[0]!.weight).to.equal(weight);
    expect([...(await weight.data())]).to.deep.equal([3, 3, 3, 3, 3, 3]);
    expect([...(await bias!.data())]).to.deep.equal([1.5, 2]);
    expect([...(await net.bn1.weight!.data())]).to.deep.equal([1, 2, 3]);
    expect(net.bn1.numBatchesTracked!.value).to.equal(4);
  });

  it('keeps integers integers', async () => {
    class Counting extends nn.Module {
      readonly counts = gmr.tensor(Int32Array.of(0, 0));
      protected override compute(x: gmr.Tensor): gmr.Tensor {
        return x;
      }
    }
    using net = new Counting();
    net.loadStateDict({ counts: { dtype: 'I32', shape: [2], data: Int32Array.of(-7, 2 ** 30) } });
    expect([...(await net.counts.data())]).to.deep.equal([-7, 2 ** 30]);
    expectFailure(
      () => net.loadStateDict({ counts: f32([2], 1) }),
      'state_dict_mismatch',
      'counts is F32, expected I32',
    );
  });

  it('lists everything that is wrong and changes nothing', async () => {
    using net = new Net();
    const before = await snapshot(net);
    const state: gmr.nn.StateDict = Object.fromEntries(parameterNames.map((name) => [name, f32([1], 7)]));
    delete state['conv1.bias'];
    state['conv1.weight'] = f32([3, 2, 2], 7);
    state['bn1.running_mean'] = f32([3], 7);
    state['__proto__x'] = f32([3], 7);
    let message = '';
    try {
      net.loadStateDict(state);
    } catch (error) {
      expect((error as gmr.GmrError).code).to.equal('state_dict_mismatch');
      ({ message } = error as Error);
    }
    expect(message).to.include('conv1.bias is missing');
    expect(message).to.include('bn1.num_batches_tracked is missing');
    expect(message).to.include('__proto__x is unexpected');
    expect(message).to.include('conv1.log_sigmas has shape [1], expected [2]');
    expect(message).to.include('heads.1.weight has shape [1], expected [2, 2]');
    expect(message).to.not.include('conv1.weight');
    expect(await snapshot(net)).to.deep.equal(before);
  });

  it('reports names but refuses shapes when not strict', async () => {
    using net = new Net();
    const before = await snapshot(net);
    const partial = { 'bn1.bias': f32([3], 2), other: f32([1], 2) };
    const check = net.loadStateDict(partial, { strict: false });
    expect(check.unexpected).to.deep.equal(['other']);
    expect(check.missing).to.have.length(parameterNames.length + bufferNames.length - 1);
    expect(await snapshot(net)).to.deep.equal({ ...before, 'bn1.bias': [2, 2, 2] });
    const wrong = { 'bn1.bias': f32([3], 5), 'bn1.weight': f32([2], 5) };
    expectFailure(() => net.loadStateDict(wrong, { strict: false }), 'state_dict_mismatch', '[loadStateDict]');
    expect(await net.bn1.bias!.data()).to.deep.equal(Float32Array.of(2, 2, 2));
  });

  it("ignores the reference's derived buffers, but not of wrong shapes", () => {
    using layer = new nn.GMRConv2d(2, 3, 5, { bias: false });
    const own = layer.stateDict();
    const derived = {
      default_weight_index_mat: f32([1, 1, 3, 25], 0),
      weight_index_mat: f32([1, 1, 3, 25], 0),
      mus: f32([3], 0),
      infer_weight_matrix: f32([3, 2, 5, 5], 0),
    };
    expect(layer.loadStateDict({ ...own, ...derived })).to.deep.equal({ missing: [], unexpected: [] });
    const wrong = { ...own, ...derived, mus: f32([4], 0) };
    expectFailure(
      () => layer.loadStateDict(wrong),
      'state_dict_mismatch',
      '[loadStateDict] the state dict does not fit',
    );
  });

  it('refuses tensors that were disposed of or are elsewhere', () => {
    using layer = new nn.Linear(2, 1, { device: devices[0]!, bias: false });
    const gone = gmr.tensor([[1, 2]], undefined, { device: devices[0]! });
    gone.dispose();
    expectFailure(() => layer.loadStateDict({ weight: gone }), 'state_dict_mismatch', '[loadStateDict]');
    const elsewhere = gmr.tensor([[1, 2]]);
    expectFailure(() => layer.loadStateDict({ weight: elsewhere }), 'state_dict_mismatch', '[loadStateDict]');
  });

  it('moves to another device', async () => {
    const [from, to] = [devices[0]!, devices.at(-1)!];
    using net = new Net(from);
    const before = await snapshot(net);
    net.conv1.logSigmas!.requiresGrad = false;
    expect(await net.to(to)).to.equal(net);
    for (const parameter of net.parameters()) expect(parameter.device).to.equal(to);
    expect(net.conv1.logSigmas!.requiresGrad).to.equal(false);
    expect(net.conv1.weight.requiresGrad).to.equal(true);
    expect(await snapshot(net)).to.deep.equal(before);
    const y = net.eval().forward(gmr.tensor(new Float32Array(50).fill(1), [1, 2, 5, 5], { device: to }));
    expect(y.device).to.equal(to);
  });
});

describe('Module: after dispose', () => {
  const images = gmr.tensor(new Float32Array(50), [1, 2, 5, 5]);
  const gone = (where: string): string => `${where} expected the module to be live, received one that was disposed of`;

  it('refuses what needs parameters, and names its class', async () => {
    const net = new Net();
    const state = net.stateDict();
    net.dispose();
    net.dispose();
    const calls = {
      forward: () => net.forward(images),
      stateDict: () => net.stateDict(),
      loadStateDict: () => net.loadStateDict(state),
      parameters: () => [...net.parameters()],
      namedBuffers: () => [...net.namedBuffers()],
      SGD: () => new gmr.optim.SGD(net, { lr: 1 }),
      to: () => net.to('cpu'),
    };
    for (const call of Object.values(calls)) await expectRejection((async () => call())(), 'disposed', gone('[Net]'));
    expect(failureOf(net.conv1, images).message).to.equal(gone('[GMRConv2d]'));
    expect(net.train(false).training).to.equal(false);
  });

  it('is named with its path in a model', () => {
    using net = new nn.Sequential({ body: new nn.Sequential(new nn.ReLU(), new nn.Conv2d(2, 3, 3)) }).eval();
    [...net.modules()].at(-1)!.dispose();
    expect(failureOf(net, images).message).to.equal(gone('in body.1: [Conv2d]'));
    expectFailure(() => net.stateDict(), 'disposed', gone('in body.1: [Conv2d]'));
    using fused = new nn.Sequential(new nn.Conv2d(2, 3, 3), new nn.BatchNorm2d(3)).eval();
    fused.layers[1]!.dispose();
    expect(gmr.noGrad(() => failureOf(fused, images)).message).to.equal(gone('in 1: [BatchNorm2d]'));
  });

  it('says so when printed', () => {
    using net = new nn.Sequential(new nn.Linear(2, 1), new nn.ReLU());
    net.layers[0]!.dispose();
    expect(String(net)).to.match(/^Sequential\(\n {2}\(0\) Linear\(.*\), disposed\n {2}\(1\) ReLU\(\)\n\)$/);
    net.dispose();
    expect(String(net)).to.match(/\n {2}\(1\) ReLU\(\)\n\), disposed$/);
  });

  it('takes no layer without state along: another model may have it too', () => {
    const relu = new nn.ReLU();
    using other = new nn.Sequential(relu);
    new nn.Sequential(relu, new nn.Linear(2, 1)).dispose();
    expect(other.forward(images).shape).to.deep.equal(images.shape);
    relu.dispose();
    expect(failureOf(other, images).message).to.equal(gone('in 0: [ReLU]'));
  });

  it('does not come back to life where it was being moved', async () => {
    const net = new Net(devices[0]);
    const moved = net.to(devices.at(-1)!);
    net.dispose();
    await expectRejection(moved, 'disposed', gone('[Net]'));
  });
});
