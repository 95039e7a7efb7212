// The layers that the model is shown for: those of a ResNet at batch 32, as ring convolutions and as dense 3x3 and 1x1 ones; volumes
// at batch 8; some depthwise layers; and the ops that move memory.
import * as gmr from '../../lib/index.js';
import { cudaSimControl } from '../../test/support/cuda_sim.js';
import { bytesOf } from '../support/cases.js';
import { ringAdditions, ringCount } from '../support/ring_work.js';
import type { LaunchCounts, PassWork } from './model.js';

export const passes = ['forward', 'backward_input', 'backward_weight'] as const;
export type Pass = (typeof passes)[number];

/** Ops that read x once and have no product; `side` is that of a pool's windows, at stride 2. */
const memoryOps = {
  batch_norm: (x: gmr.Tensor) => gmr.ops.batchNorm(x, null, null, null, { training: true, relu: true }),
  max_pool: (x: gmr.Tensor, side: number) =>
    gmr.ops.maxPool(x, side, { stride: 2, padding: Math.floor((side - 1) / 2) }),
  avg_pool: (x: gmr.Tensor, side: number) => gmr.ops.avgPool(x, side, { stride: 2 }),
  global_avg_pool: (x: gmr.Tensor) => gmr.ops.globalAvgPool(x),
  pad: (x: gmr.Tensor, side: number) => {
    const border = [Math.floor(side / 2), Math.floor(side / 2)] as const;
    return gmr.ops.pad(x, [border, border], 'reflect');
  },
  rotate: (x: gmr.Tensor) => gmr.ops.rotate(x, 90),
  cross_entropy: (x: gmr.Tensor) => {
    const [rows, classes] = x.shape as [number, number];
    const targets = gmr.tensor(new Int32Array(rows), undefined, { device: x.device });
    return gmr.ops.crossEntropy(x.reshape(rows, classes), targets);
  },
};

export interface ModelCase {
  name: string;
  batch: number;
  channels: number;
  outputs: number;
  extent: number;
  /** Axes of that extent. Default 2. */
  axes?: 2 | 3;
  /** Kernel side; rings where the op is ring_conv. */
  side: number;
  op: 'ring_conv' | 'conv' | 'depthwise' | 'depthwise_ring' | keyof typeof memoryOps;
  /** Of activations. */
  dtype: 'float32' | 'bfloat16';
}

const layers = [
  { channels: 64, extent: 56, side: 9 },
  { channels: 128, extent: 28, side: 9 },
  { channels: 256, extent: 14, side: 5 },
  { channels: 512, extent: 7, side: 5 },
];

const volumes = [
  { channels: 32, extent: 28, side: 9 },
  { channels: 64, extent: 28, side: 5 },
];

function casesOf(dtype: ModelCase['dtype'], batch: number): ModelCase[] {
  const suffix = dtype === 'bfloat16' ? ' bf16' : '';
  const caseOf = (
    op: ModelCase['op'],
    channels: number,
    extent: number,
    side: number,
    outputs = channels,
    images = batch,
    axes: 2 | 3 = 2,
  ): ModelCase => {
    const name = `${op} ${images}x${channels}>${outputs} ${extent}^${axes} k=${side}${suffix}`;
    return { name, batch: images, channels, outputs, extent, axes, side, op, dtype };
  };
  const volumeCase = (op: ModelCase['op'], channels: number, extent: number, side: number): ModelCase =>
    caseOf(op, channels, extent, side, channels, Math.max(1, Math.floor(batch / 4)), 3);
  return [
    ...layers.map(({ channels, extent, side }) => caseOf('ring_conv', channels, extent, side)),
    caseOf('ring_conv', 3, 112, 5, 64),
    ...layers.map(({ channels, extent }) => caseOf('conv', channels, extent, 3)),
    ...layers.map(({ channels, extent }) => caseOf('conv', channels, extent, 1)),
    ...volumes.map(({ channels, extent, side }) => volumeCase('ring_conv', channels, extent, side)),
    ...volumes.map(({ channels, extent }) => volumeCase('conv', channels, extent, 3)),
    ...[3, 9, 31].map((side) => caseOf('depthwise', 64, 56, side)),
    ...layers.slice(1).map(({ channels, extent, side }) => caseOf('depthwise', channels, extent, side)),
    ...layers.map(({ channels, extent, side }) => caseOf('depthwise_ring', channels, extent, side)),
    ...layers.map(({ channels, extent }) => caseOf('batch_norm', channels, extent, 1)),
    caseOf('max_pool', 64, 112, 3),
    ...layers
      .slice(0, 3)
      .flatMap(({ channels, extent }) => [
        caseOf('max_pool', channels, extent, 2),
        caseOf('avg_pool', channels, extent, 2),
      ]),
    caseOf('global_avg_pool', 512, 7, 1),
    caseOf('pad', 64, 56, 3),
    caseOf('rotate', 64, 56, 1),
    caseOf('cross_entropy', 1000, 1, 1),
  ];
}

export function modelCases(batch: number): ModelCase[] {
  return [...casesOf('float32', batch), ...casesOf('bfloat16', batch)];
}

function isMemoryOp(op: ModelCase['op']): op is keyof typeof memoryOps {
  return op in memoryOps;
}

const isDepthwise = (op: ModelCase['op']): boolean => op === 'depthwise' || op === 'depthwise_ring';
const isOfRings = (op: ModelCase['op']): boolean => op === 'ring_conv' || op === 'depthwise_ring';

/** Of an extent or a side, along each axis. */
function cube(length: number, { axes = 2 }: ModelCase): number[] {
  return new Array<number>(axes).fill(length);
}

/** Shape of the weights; ops that move memory have none. */
function weightShape(modelCase: ModelCase): number[] {
  const { op, channels, outputs, side } = modelCase;
  if (isMemoryOp(op)) return [0];
  const inputs = isDepthwise(op) ? 1 : channels;
  return [outputs, inputs, ...(isOfRings(op) ? [ringCount(side)] : cube(side, modelCase))];
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((n, extent) => n * extent, 1);
}

/** As docs/performance.md counts it; every pass of a convolution reads two tensors and writes the third. */
export function workOf(modelCase: ModelCase): PassWork {
  const { batch, channels, outputs, extent, side, op, dtype } = modelCase;
  const pixels = batch * sizeOf(cube(extent, modelCase));
  const weights = sizeOf(weightShape(modelCase));
  // Weights are float32 always.
  const bytes = bytesOf([pixels, channels], [pixels, outputs]) / (dtype === 'bfloat16' ? 2 : 1) + bytesOf([weights]);
  return {
    fmas: pixels * weights,
    additions: isOfRings(op) ? pixels * channels * ringAdditions(cube(side, modelCase)) : 0,
    bytes,
  };
}

/**
 * Runs passes on the interpreter, of each launch at most `blocks` blocks, and returns what was counted of each; nothing
 * of those that are not wanted.
 */
export async function countPasses(
  modelCase: ModelCase,
  device: gmr.Device,
  blocks: number,
  wanted: readonly Pass[] = passes,
): Promise<Record<Pass, LaunchCounts[]>> {
  const { batch, channels, extent, side, op, dtype } = modelCase;
  const control = cudaSimControl();
  const shape = [batch, channels, ...cube(extent, modelCase)];
  // What they hold does not matter: no kernel's path depends on it.
  const make = (extents: readonly number[], requiresGrad: boolean, type: gmr.DType): gmr.Tensor =>
    gmr.tensor(new Float32Array(sizeOf(extents)), extents, { device, requiresGrad, dtype: type });
  const makeWeights = (requiresGrad: boolean): gmr.Tensor => make(weightShape(modelCase), requiresGrad, 'float32');
  const run = (x: gmr.Tensor, w: gmr.Tensor): gmr.Tensor => {
    const padding = Math.floor(side / 2);
    if (isMemoryOp(op)) return memoryOps[op](x, side);
    const groups = isDepthwise(op) ? channels : 1;
    if (isOfRings(op)) return gmr.ops.ringConv(x, w, { padding, groups, kernelSize: cube(side, modelCase) });
    return gmr.ops.conv(x, w, { padding, groups });
  };
  // Reading it awaits all that was queued before.
  const marker = gmr.tensor([0], undefined, { device });
  const counted = async (queue: () => void): Promise<LaunchCounts[]> => {
    await marker.data();
    control.setCounting(true);
    queue();
    await marker.data();
    control.setCounting(false);
    const lines = control.counters().split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line) as LaunchCounts);
  };
  const forward = async (): Promise<LaunchCounts[]> => {
    const x = make(shape, isMemoryOp(op), dtype); // max_pool: with indices
    const w = makeWeights(false);
    const counts = await counted(() => run(x, w).dispose());
    x.dispose();
    w.dispose();
    return counts;
  };
  const gradient = async (ofInput: boolean): Promise<LaunchCounts[]> => {
    const x = make(shape, ofInput, dtype);
    const w = makeWeights(!ofInput);
    const y = run(x, w);
    const dy = make(y.shape, false, y.dtype);
    const counts = await counted(() => y.backward(dy));
    for (const tensor of [x.grad, w.grad, x, w, dy, y]) tensor?.dispose();
    return counts;
  };
  control.sampleBlocks(blocks);
  try {
    return {
      forward: wanted.includes('forward') ? await forward() : [],
      backward_input: wanted.includes('backward_input') ? await gradient(true) : [],
      backward_weight: wanted.includes('backward_weight') && !isMemoryOp(op) ? await gradient(false) : [],
    };
  } finally {
    control.sampleBlocks(0);
    control.setCounting(false);
    marker.dispose();
  }
}
