// A valid call of every public function, constructor, method and setter: what the sweep of bad input starts from.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as gmr from '../../lib/index.js';

export interface PublicCall {
  /** Arguments, made anew for each call. Options are spelled out, so that each is swept. */
  args: () => unknown[];
  call: (...args: any[]) => unknown;
}

const { io, models, nn, ops, optim } = gmr;

/** A float32 tensor of small numbers that requires a gradient. */
function leaf(...shape: number[]): gmr.Tensor {
  const size = shape.reduce((count, extent) => count * extent, 1);
  return gmr.tensor(
    Float32Array.from({ length: size }, (_, i) => (i % 7) - 3),
    shape,
    { requiresGrad: true },
  );
}

/** The same without a gradient. */
function plain(...shape: number[]): gmr.Tensor {
  return leaf(...shape).detach();
}

const noArguments = (): unknown[] => [];

const layer = (): gmr.nn.Linear => new nn.Linear(2, 1);

const layerOptions = { device: 'cpu', generator: new gmr.Generator(1) };

/** A constructor, and its layer's `forward`. */
function layerCalls(
  name: string,
  Layer: new (...args: any[]) => gmr.nn.Module<any[]>,
  args: () => unknown[],
  input: () => unknown[],
): Record<string, PublicCall> {
  return {
    [`nn.${name}`]: { args, call: (...given) => new Layer(...given) },
    [`nn.${name}.forward`]: { args: input, call: (...given) => new Layer(...args()).forward(...given) },
  };
}

function spatialLayers(d: 1 | 2 | 3): Record<string, PublicCall> {
  const input = (): unknown[] => [plain(2, 2, 5, 5, 5).reshape(-1, 2, ...[5, 5, 5].slice(3 - d))];
  const geometry = { stride: 1, padding: 1, dilation: 1, groups: 2, bias: true, weightInit: nn.uniformFanIn };
  const conv = { ...layerOptions, ...geometry, paddingMode: 'reflect' };
  const rings = { numRings: 2, circular: true, gaussian: true, trainSigma: true };
  const transposed = { ...layerOptions, ...geometry, ...rings, outputPadding: 0 };
  const norm = { ...layerOptions, eps: 1e-5, momentum: 0.1, affine: true, initialWeight: 1, trackRunningStats: true };
  const window = { stride: 2, padding: 1 };
  const conv_ = { 1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d }[d];
  const ring = { 1: nn.GMRConv1d, 2: nn.GMRConv2d, 3: nn.GMRConv3d }[d];
  const ringTranspose = { 1: nn.GMRConvTranspose1d, 2: nn.GMRConvTranspose2d, 3: nn.GMRConvTranspose3d }[d];
  const batchNorm = { 1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d }[d];
  const avgPool = { 1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d }[d];
  const maxPool = { 1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d }[d];
  const sides = [3, 3, 3].slice(3 - d);
  const fused = (): unknown[] => [...input(), { residual: input()[0], relu: true }];
  return {
    ...layerCalls(`Conv${d}d`, conv_, () => [2, 2, sides, conv], input),
    ...layerCalls(`GMRConv${d}d`, ring, () => [2, 2, sides, { ...conv, ...rings }], input),
    ...layerCalls(`GMRConvTranspose${d}d`, ringTranspose, () => [2, 2, sides, transposed], input),
    ...layerCalls(`BatchNorm${d}d`, batchNorm, () => [2, norm], fused),
    ...layerCalls(`AvgPool${d}d`, avgPool, () => [sides, { ...window, countIncludePad: true }], input),
    ...layerCalls(`MaxPool${d}d`, maxPool, () => [sides, { ...window, dilation: 1 }], input),
  };
}

const layers: Record<string, PublicCall> = {
  ...spatialLayers(1),
  ...spatialLayers(2),
  ...spatialLayers(3),
  ...layerCalls(
    'GlobalAvgPool',
    nn.GlobalAvgPool,
    () => [{ spatialDims: 2 }],
    () => [plain(2, 3, 3)],
  ),
  ...layerCalls('Identity', nn.Identity, noArguments, () => [plain(2)]),
  ...layerCalls(
    'LeakyReLU',
    nn.LeakyReLU,
    () => [0.1],
    () => [plain(2)],
  ),
  ...layerCalls(
    'Linear',
    nn.Linear,
    () => [2, 3, { ...layerOptions, bias: true }],
    () => [plain(2, 2)],
  ),
  ...layerCalls('ReLU', nn.ReLU, noArguments, () => [plain(2)]),
  ...layerCalls(
    'Sequential',
    nn.Sequential,
    () => [{ first: layer(), second: new nn.ReLU() }],
    () => [plain(2, 2)],
  ),
  'nn.Sequential (list)': { args: () => [layer(), new nn.ReLU()], call: (...given) => new nn.Sequential(...given) },
};

const moduleCalls: Record<string, PublicCall> = {
  'nn.Counter': { args: noArguments, call: () => new nn.Counter() },
  'nn.Module': {
    args: noArguments,
    call: () =>
      new (class extends nn.Module {
        protected override compute(x: gmr.Tensor): gmr.Tensor {
          return x;
        }
      })(),
  },
  'nn.Module.forward': { args: () => [plain(2)], call: (x) => layer().forward(x) },
  'nn.Module.namedChildren': { args: noArguments, call: () => layer().namedChildren() },
  'nn.Module.children': { args: noArguments, call: () => layer().children() },
  'nn.Module.namedModules': { args: () => ['prefix'], call: (prefix) => layer().namedModules(prefix) },
  'nn.Module.modules': { args: noArguments, call: () => layer().modules() },
  'nn.Module.namedParameters': { args: noArguments, call: () => layer().namedParameters() },
  'nn.Module.parameters': { args: noArguments, call: () => layer().parameters() },
  'nn.Module.namedBuffers': { args: noArguments, call: () => layer().namedBuffers() },
  'nn.Module.stateDict': { args: noArguments, call: () => layer().stateDict() },
  'nn.Module.loadStateDict': {
    args: () => [
      { weight: plain(1, 2), bias: { dtype: 'F32', shape: [1], data: new Float32Array(1) } },
      { strict: true },
    ],
    call: (...given: Parameters<gmr.nn.Linear['loadStateDict']>) => layer().loadStateDict(...given),
  },
  'nn.Module.loadStateDict (counts)': {
    args: () => [
      { running_mean: plain(1), num_batches_tracked: { dtype: 'I64', shape: [], data: BigInt64Array.of(3n) } },
      { strict: false },
    ],
    call: (...given: Parameters<gmr.nn.BatchNorm1d['loadStateDict']>) => {
      const norm = new nn.BatchNorm1d(1);
      norm.loadStateDict(...given);
      return norm.stateDict();
    },
  },
  'nn.Module.train': { args: () => [false], call: (training) => layer().train(training) },
  'nn.Module.eval': { args: noArguments, call: () => layer().eval() },
  'nn.Module.to': { args: () => ['cpu'], call: (device) => layer().to(device) },
  'nn.Module.zeroGrad': { args: noArguments, call: () => layer().zeroGrad() },
  'nn.Module.toString': { args: noArguments, call: () => layer().toString() },
  'nn.Module.dispose': { args: noArguments, call: () => layer().dispose() },
  'nn.uniformFanIn': { args: () => [6, { in: 3, out: 2 }, new gmr.Generator(1)], call: nn.uniformFanIn },
  'nn.kaimingNormalFanOut': { args: () => [6, { in: 3, out: 2 }, new gmr.Generator(1)], call: nn.kaimingNormalFanOut },
};

const geometry = { stride: [1, 1], padding: [1, 1], dilation: 1, groups: 1 };
const training = { training: true, momentum: 0.1, eps: 1e-5, relu: true };
const running = (): gmr.ops.RunningStatistics => ({ mean: plain(3), variance: plain(3) });

const opCalls: Record<string, PublicCall> = {
  'ops.activation': { args: () => [leaf(2, 3), 0.1], call: ops.activation },
  'ops.add': { args: () => [leaf(2), leaf(2)], call: ops.add },
  'ops.avgPool': {
    args: () => [leaf(1, 2, 4, 4), [3, 3], { stride: 2, padding: 1, countIncludePad: false }],
    call: ops.avgPool,
  },
  'ops.cast': { args: () => [leaf(2), 'bfloat16'], call: ops.cast },
  'ops.batchNorm': {
    args: () => [leaf(2, 3, 2), leaf(3), leaf(3), running(), { ...training, residual: leaf(2, 3, 2) }],
    call: ops.batchNorm,
  },
  'ops.batchNorm (evaluation)': {
    args: () => [leaf(2, 3, 2), null, null, running(), { ...training, training: false }],
    call: ops.batchNorm,
  },
  'ops.conv': {
    args: () => [leaf(2, 2, 4, 5), leaf(3, 2, 3, 3), { ...geometry, bias: leaf(3) }],
    call: ops.conv,
  },
  'ops.convTranspose': {
    args: () => [leaf(2, 3, 4, 5), leaf(3, 2, 3, 3), { ...geometry, outputPadding: 0, bias: leaf(2) }],
    call: ops.convTranspose,
  },
  'ops.crossEntropy': {
    args: () => [leaf(2, 3), gmr.tensor(Int32Array.of(0, 2)), { labelSmoothing: 0.1, reduction: 'sum' }],
    call: ops.crossEntropy,
  },
  'ops.globalAvgPool': { args: () => [leaf(1, 2, 3)], call: ops.globalAvgPool },
  'ops.maxPool': {
    args: () => [leaf(1, 2, 5, 5), [3, 3], { stride: 2, padding: 1, dilation: 1 }],
    call: ops.maxPool,
  },
  'ops.pad': {
    args: () => [
      leaf(1, 1, 3, 4),
      [
        [1, 2],
        [0, 1],
      ],
      'reflect',
    ],
    call: ops.pad,
  },
  'ops.reduce': { args: () => [leaf(2, 3, 2), { op: 'mean', axes: [0, 2], keepDims: true }], call: ops.reduce },
  'ops.ringConv': {
    args: () => [leaf(2, 2, 4, 5), leaf(3, 2, 2), { ...geometry, kernelSize: [3, 3], circular: true, bias: leaf(3) }],
    call: ops.ringConv,
  },
  'ops.ringConvTranspose': {
    args: () => [
      leaf(2, 3, 4, 5),
      leaf(3, 2, 2),
      { ...geometry, outputPadding: [0, 0], kernelSize: [3, 3], circular: false, bias: leaf(2) },
    ],
    call: ops.ringConvTranspose,
  },
  'ops.ringExpand': { args: () => [leaf(2, 1, 2), [3, 3], { circular: true }], call: ops.ringExpand },
  'ops.ringWeight': { args: () => [leaf(2, 1, 3), leaf(3)], call: ops.ringWeight },
  'ops.rotate': { args: () => [leaf(1, 1, 3, 3), 30, { plane: [-2, -1], flip: 2 }], call: ops.rotate },
  'ops.sgd': {
    args: () => [
      plain(3),
      plain(3),
      plain(3),
      { lr: 0.1, momentum: 0.9, dampening: 0, nesterov: true, weightDecay: 0.1, firstStep: false },
    ],
    call: ops.sgd,
  },
};

const generator = (): gmr.Generator => new gmr.Generator(1);

const generatorCalls: Record<string, PublicCall> = {
  Generator: { args: () => [1], call: (seed) => new gmr.Generator(seed) },
  'Generator.seed': { args: () => [1], call: (seed) => generator().seed(seed) },
  'Generator.uniform': { args: () => [0, 1], call: (low, high) => generator().uniform(low, high) },
  'Generator.normal': { args: () => [0, 1], call: (mean, deviation) => generator().normal(mean, deviation) },
  'Generator.integer': { args: () => [0, 9], call: (low, high) => generator().integer(low, high) },
  'Generator.shuffle': { args: () => [[1, 2, 3]], call: (items) => generator().shuffle(items) },
  'Generator.permutation': { args: () => [4], call: (count) => generator().permutation(count) },
  'Generator.uniformArray': { args: () => [4, 0, 1], call: (...given: [number]) => generator().uniformArray(...given) },
  'Generator.normalArray': { args: () => [4, 0, 1], call: (...given: [number]) => generator().normalArray(...given) },
  'Generator.fork': { args: noArguments, call: () => generator().fork() },
  'Generator.getState': { args: noArguments, call: () => generator().getState() },
  'Generator.setState': {
    args: () => [generator().getState()],
    call: (state) => {
      const restored = generator();
      restored.setState(state);
      return restored.uniform();
    },
  },
  defaultGenerator: { args: noArguments, call: gmr.defaultGenerator },
  manualSeed: { args: () => [1], call: gmr.manualSeed },
};

const sgdOptions = {
  lr: 0.1,
  momentum: 0.9,
  dampening: 0,
  nesterov: false,
  weightDecay: 0.1,
  sigmaWeightDecay: 0,
};

function optimizer(): gmr.optim.SGD {
  const parameter = leaf(2);
  parameter.grad = plain(2);
  return new optim.SGD([['w', parameter]], sgdOptions);
}

const optimCalls: Record<string, PublicCall> = {
  'optim.cosine': { args: () => [3, { from: 1, to: 0, steps: 10 }], call: optim.cosine },
  'optim.SGD': {
    args: () => [[['w', leaf(2)], leaf(1)], sgdOptions],
    call: (...given: [[], gmr.optim.SGDOptions]) => new optim.SGD(...given),
  },
  'optim.SGD (groups)': {
    args: () => [[{ ...sgdOptions, params: [leaf(2)] }], { lr: 1 }],
    call: (...given: [[], gmr.optim.SGDOptions]) => new optim.SGD(...given),
  },
  'optim.SGD.step': {
    args: () => [sgdOptions],
    call: (settings) => {
      const made = optimizer();
      Object.assign(made.groups[0]!, settings);
      made.step();
    },
  },
  'optim.SGD.zeroGrad': { args: noArguments, call: () => optimizer().zeroGrad() },
  'optim.SGD.stateDict': { args: noArguments, call: () => optimizer().stateDict() },
  'optim.SGD.loadStateDict': {
    args: () => [
      { settings: [sgdOptions], velocity: { '0.w': { dtype: 'F32', shape: [2], data: new Float32Array(2) } } },
    ],
    call: (state) => optimizer().loadStateDict(state),
  },
  'optim.SGD.dispose': { args: noArguments, call: () => optimizer().dispose() },
};

const file = join(tmpdir(), `gmr-sweep-${process.pid}.safetensors`);

const ioCalls: Record<string, PublicCall> = {
  'io.writeSafetensors': {
    args: () => [
      file,
      {
        tensor: plain(2),
        array: new Float32Array(2),
        shaped: { dtype: 'I32', shape: [1, 2], data: new Int32Array(2) },
      },
      { key: 'value' },
    ],
    call: io.writeSafetensors,
  },
  'io.readSafetensors': { args: () => ['test/golden/conv1d_k7.safetensors'], call: io.readSafetensors },
};

const resnetOptions = {
  ...layerOptions,
  numClasses: 2,
  inChannels: 1,
  inplanes: 1,
  gmrConvSize: [3, 3, 3, 3],
  numRings: 2,
  layerStride: [1, 2, 2, 2],
  skipFirstPool: false,
  zeroInitResidual: false,
};

const modelCalls: Record<string, PublicCall> = {
  // The functions below hand it its blocks; nobody else has any.
  'models.GmrResNet': { args: () => [{}], call: (options) => models.gmrResnet18({ ...resnetOptions, ...options }) },
  'models.GmrResNet.forward': {
    args: () => [plain(1, 1, 32, 32)],
    call: (x) =>
      models
        .gmrResnet18(resnetOptions as never)
        .eval()
        .forward(x),
  },
  'models.gmrResnet18': { args: () => [resnetOptions], call: models.gmrResnet18 },
  'models.gmrResnet34': { args: () => [resnetOptions], call: models.gmrResnet34 },
  'models.gmrResnet50': { args: () => [resnetOptions], call: models.gmrResnet50 },
};

const coreCalls: Record<string, PublicCall> = {
  GmrError: { args: () => ['invalid_argument'], call: (code) => new gmr.GmrError(code, 'text') },
  device: { args: () => ['cpu'], call: gmr.device },
  doctor: { args: noArguments, call: gmr.doctor },
  memory: { args: noArguments, call: gmr.memory },
  'memory (of a device)': { args: () => [plain(1).device], call: gmr.memory },
  emptyCache: { args: () => [plain(1).device], call: gmr.emptyCache },
  resetPeakMemory: { args: () => [plain(1).device], call: gmr.resetPeakMemory },
  scope: { args: () => [() => plain(2)], call: gmr.scope },
  noGrad: { args: () => [() => plain(2)], call: gmr.noGrad },
  setFloat32MatmulPrecision: { args: () => ['highest'], call: gmr.setFloat32MatmulPrecision },
  getFloat32MatmulPrecision: { args: noArguments, call: gmr.getFloat32MatmulPrecision },
  isGradEnabled: { args: noArguments, call: gmr.isGradEnabled },
  grad: {
    args: () => [(x: gmr.Tensor) => ops.reduce(x, { op: 'sum' }), plain(2)],
    call: (fn, x) => gmr.grad(fn)(x),
  },
  profile: { args: () => [plain(1).device, async () => {}], call: gmr.profile },
  tensor: { args: () => [[[1, 2]], [2], { device: 'cpu', requiresGrad: true }], call: gmr.tensor },
  'Tensor.data': { args: noArguments, call: () => plain(2).data() },
  'Tensor.item': { args: noArguments, call: () => plain(1).item() },
  'Tensor.backward': { args: () => [plain(2)], call: (gradient) => ops.activation(leaf(2)).backward(gradient) },
  'Tensor.reshape': { args: () => [2, -1], call: (...extents: number[]) => plain(2, 3).reshape(...extents) },
  'Tensor.toString': { args: noArguments, call: () => plain(2).toString() },
  'Tensor.detach': { args: noArguments, call: () => plain(2).detach() },
  'Tensor.dispose': { args: noArguments, call: () => plain(2).dispose() },
  'Tensor.grad': {
    args: () => [plain(2)],
    call: (gradient) => {
      const x = leaf(2);
      x.grad = gradient;
      ops.activation(x).backward(plain(2));
      return x.grad;
    },
  },
  'Tensor.requiresGrad': {
    args: () => [true],
    call: (value) => {
      plain(2).requiresGrad = value;
    },
  },
  'Device.toString': { args: noArguments, call: () => plain(1).device.toString() },
};

/** By the name under which users reach it; a remark in parentheses tells several calls of one function apart. */
export const publicCalls: Readonly<Record<string, PublicCall>> = {
  ...coreCalls,
  ...opCalls,
  ...layers,
  ...moduleCalls,
  ...modelCalls,
  ...optimCalls,
  ...ioCalls,
  ...generatorCalls,
};
