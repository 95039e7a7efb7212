import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { expectFailure } from '../support/failure.js';
import { norm } from '../support/ndarray.js';

const { gmrResnet18, gmrResnet34, gmrResnet50 } = gmr.models;

function parameterCount(model: gmr.nn.Module): number {
  return [...model.parameters()].reduce((sum, { size }) => sum + size, 0);
}

function image(shape: number[]): gmr.Tensor {
  return gmr.tensor(new gmr.Generator(1).normalArray(shape.reduce((n, extent) => n * extent, 1)), shape);
}

describe('GMR-ResNet', function () {
  this.timeout(60_000);

  it('18 has the published number of parameters and first values', async () => {
    using model = gmrResnet18({ numClasses: 10, gmrConvSize: [9, 9, 5, 5], generator: new gmr.Generator(1) });
    expect(parameterCount(model)).to.equal(3_996_685);
    const state = new Map(model.namedParameters());
    const deviation = async (name: string): Promise<number> => {
      const tensor = state.get(name)!;
      return norm(await tensor.data()) / Math.sqrt(tensor.size);
    };
    expect(await deviation('layer1.0.conv1.weight')).to.be.closeTo(Math.sqrt(2 / (64 * 81)), 5e-4);
    expect(await deviation('layer4.0.downsample.1.weight')).to.be.closeTo(Math.sqrt(2 / 512), 1e-3);
    expect(await deviation('layer2.0.bn2.weight')).to.equal(1);
    expect(await deviation('fc.weight')).to.be.closeTo(1 / Math.sqrt(3 * 512), 1e-3);
  });

  it('34 and 50 have their blocks, and run', () => {
    for (const [make, blocks, widest] of [
      [gmrResnet34, 'conv2', 32],
      [gmrResnet50, 'conv3', 128],
    ] as const) {
      using model = make({ numClasses: 3, inplanes: 4 }).eval();
      const names = [...model.namedParameters()].map(([name]) => name);
      const counts = [1, 2, 3, 4].map(
        (stage) =>
          names.filter((name) => name.startsWith(`layer${stage}.`) && name.endsWith(`${blocks}.weight`)).length,
      );
      expect(counts).to.deep.equal([3, 4, 6, 3]);
      expect(model.fc.inFeatures).to.equal(widest);
      expect(gmr.scope(() => model.forward(image([2, 3, 32, 32]))).shape).to.deep.equal([2, 3]);
    }
  });

  it('50 has the names of the reference where pools stand before ring convolutions', () => {
    using model = gmrResnet50({ numClasses: 2, inplanes: 2, gmrConvSize: 5 });
    const names = new Set(Object.keys(model.stateDict()));
    for (const name of [
      'layer1.0.conv2.weight',
      'layer2.0.conv2.1.log_sigmas',
      'layer1.0.downsample.1.weight',
      'layer3.5.bn3.bias',
    ]) {
      expect(names.has(name), name).to.equal(true);
    }
    expect([...names].some((name) => name.endsWith('conv2.bias'))).to.equal(false);
  });

  it('takes options for stages, stem and blocks', async () => {
    using model = gmrResnet18({
      numClasses: 2,
      inChannels: 1,
      inplanes: 2,
      gmrConvSize: [3, 5, 7, 9],
      numRings: [2, 4, 3, 5],
      layerStride: [1, 1, 2, 1],
      skipFirstPool: true,
      zeroInitResidual: true,
    }).eval();
    const state = new Map(model.namedParameters());
    expect(state.get('layer2.0.conv1.weight')!.shape).to.deep.equal([4, 2, 4]);
    expect(state.get('layer3.0.conv1.1.weight')!.shape).to.deep.equal([8, 4, 3]);
    expect([...(await state.get('layer1.0.bn2.weight')!.data())]).to.deep.equal([0, 0]);
    expect([...(await state.get('layer1.0.bn1.weight')!.data())]).to.deep.equal([1, 1]);
    expect(model.forward(image([1, 16, 16])).shape).to.deep.equal([2]);
  });

  it('frees its intermediates', async () => {
    using model = gmrResnet18({ numClasses: 2, inplanes: 2 }).eval();
    const x = image([1, 3, 32, 32]);
    await x.data();
    const before = gmr.memory().buffers;
    const y = model.forward(x);
    y.dispose();
    await x.data();
    expect(gmr.memory().buffers).to.equal(before);
  });

  it('labels passes with the names of layers', async () => {
    using model = gmrResnet18({ numClasses: 2, inplanes: 2 });
    const x = image([2, 3, 32, 32]);
    const rows = await gmr.profile(x.device, () => model.forward(x).data());
    const labels = rows.filter(({ pass }) => pass === 'ring_conv_forward').map(({ label }) => label);
    expect(labels).to.include.members(['conv1', 'layer1.0.conv1', 'layer2.0.conv1.1', 'layer4.1.conv2']);
  });

  it('names the argument that is wrong', () => {
    const fails = (fn: () => unknown, message: string): void => expectFailure(fn, 'invalid_argument', message);
    fails(() => gmrResnet18({ gmrConvSize: 4 }), '[gmrResnet18] expected gmrConvSize to be odd');
    fails(
      () => gmrResnet34({ gmrConvSize: [3, 3] }),
      '[gmrResnet34] expected gmrConvSize to be a number or an array of 4',
    );
    fails(() => gmrResnet50({ numClasses: 0 }), '[gmrResnet50] expected numClasses');
    fails(() => gmrResnet18({ inplanes: -1 }), '[gmrResnet18] expected inplanes');
    fails(() => gmrResnet18({ layerStride: [1, 2] }), '[gmrResnet18] expected layerStride');
    fails(() => gmrResnet18({ zeroInitResidual: 1 as never }), '[gmrResnet18] expected zeroInitResidual');
    using model = gmrResnet18({ numClasses: 2, inplanes: 2 });
    expectFailure(() => model.forward(image([3, 4])), 'invalid_shape', '[GmrResNet] expected x to have 3 to 4 axes');
  });
});
