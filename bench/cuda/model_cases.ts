// The layers that the model is shown for: those of a ResNet at batch 32, as ring convolutions and as dense 3x3 ones.
import * as gmr from '../../lib/index.js';
import { cudaSimControl } from '../../test/support/cuda_sim.js';
import { bytesOf } from '../support/cases.js';
import { ringAdditions, ringCount } from '../support/ring_work.js';
import type { LaunchCounts, PassWork } from './model.js';

export const passes = ['forward', 'backward_input', 'backward_weight'] as const;
export type Pass = (typeof passes)[number];

export interface ModelCase {
  name: string;
  batch: number;
  channels: number;
  extent: number;
  /** Kernel side; rings where the op is ring_conv. */
  side: number;
  op: 'ring_conv' | 'conv';
  /** Of activations. */
  dtype: 'float32' | 'bfloat16';
}

const layers = [
  { channels: 64, extent: 56, side: 9 },
  { channels: 128, extent: 28, side: 9 },
  { channels: 256, extent: 14, side: 5 },
  { channels: 512, extent: 7, side: 5 },
];

function casesOf(dtype: ModelCase['dtype'], batch: number): ModelCase[] {
  const caseOf = (op: ModelCase['op'], channels: number, extent: number, side: number): ModelCase => {
    const name = `${op} ${batch}x${channels}>${channels} ${extent}^2 k=${side}${dtype === 'bfloat16' ? ' bf16' : ''}`;
    return { name, batch, channels, extent, side, op, dtype };
  };
  return [
    ...layers.map(({ channels, extent, side }) => caseOf('ring_conv', channels, extent, side)),
    ...layers.map(({ channels, extent }) => caseOf('conv', channels, extent, 3)),
  ];
}

export function modelCases(batch: number): ModelCase[] {
  return [...casesOf('float32', batch), ...casesOf('bfloat16', batch)];
}

function operandRows({ op, side }: ModelCase): number {
  return op === 'ring_conv' ? ringCount(side) : side * side;
}

/** As docs/performance.md counts it; every pass reads two tensors and writes the third. */
export function workOf(modelCase: ModelCase): PassWork {
  const { batch, channels, extent, side, op } = modelCase;
  const pixels = batch * extent * extent;
  const rows = operandRows(modelCase);
  return {
    fmas: pixels * channels * channels * rows,
    additions: op === 'ring_conv' ? pixels * channels * ringAdditions([side, side]) : 0,
    // Weights are float32 always.
    bytes:
      bytesOf([pixels, channels], [pixels, channels]) / (modelCase.dtype === 'bfloat16' ? 2 : 1) +
      bytesOf([channels, channels, rows]),
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
  const shape = [batch, channels, extent, extent];
  const rows = operandRows(modelCase);
  const weightShape = op === 'ring_conv' ? [channels, channels, rows] : [channels, channels, side, side];
  // What they hold does not matter: no kernel's path depends on it.
  const make = (extents: number[], requiresGrad: boolean, type: gmr.DType = dtype): gmr.Tensor =>
    gmr.tensor(new Float32Array(extents.reduce((n, e) => n * e, 1)), extents, { device, requiresGrad, dtype: type });
  const run = (x: gmr.Tensor, w: gmr.Tensor): gmr.Tensor => {
    const padding = Math.floor(side / 2);
    if (op === 'conv') return gmr.ops.conv(x, w, { padding });
    return gmr.ops.ringConv(x, w, { padding, kernelSize: [side, side] });
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
    const x = make(shape, false);
    const w = make(weightShape, false, 'float32');
    const counts = await counted(() => run(x, w).dispose());
    x.dispose();
    w.dispose();
    return counts;
  };
  const gradient = async (ofInput: boolean): Promise<LaunchCounts[]> => {
    const x = make(shape, ofInput);
    const w = make(weightShape, !ofInput, 'float32');
    const dy = make(shape, false);
    const y = run(x, w);
    const counts = await counted(() => y.backward(dy));
    for (const tensor of [x.grad, w.grad, x, w, dy, y]) tensor?.dispose();
    return counts;
  };
  control.sampleBlocks(blocks);
  try {
    return {
      forward: wanted.includes('forward') ? await forward() : [],
      backward_input: wanted.includes('backward_input') ? await gradient(true) : [],
      backward_weight: wanted.includes('backward_weight') ? await gradient(false) : [],
    };
  } finally {
    control.sampleBlocks(0);
    control.setCounting(false);
    marker.dispose();
  }
}
