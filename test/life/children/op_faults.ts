// Arguments: a CUDA error, the first call of the CUDA runtime that fails, a step, a number of runs. On GPU after GPU one call, of number
// first, first + step, ..., fails with the error while every op runs; the end comes early where a run meets no failure. Prints a line a run, JSON.
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import * as gmr from '../../../lib/index.js';
import { cudaSimControl } from '../../support/cuda_sim.js';
import { normal, uniform } from '../../support/ndarray.js';
import { caseInputs, toTensor, type OpSuite } from '../../support/op_suite.js';
import { activationSuite } from '../../support/reference/activation.js';
import { addSuite } from '../../support/reference/add.js';
import { avgPoolSuite } from '../../support/reference/avg_pool.js';
import { batchNormSuite } from '../../support/reference/batch_norm.js';
import { castSuite } from '../../support/reference/cast.js';
import { convSuite } from '../../support/reference/conv.js';
import { crossEntropySuite } from '../../support/reference/cross_entropy.js';
import { globalAvgPoolSuite } from '../../support/reference/global_avg_pool.js';
import { maxPoolSuite } from '../../support/reference/max_pool.js';
import { padSuite } from '../../support/reference/pad.js';
import { reduceSuite } from '../../support/reference/reduce.js';
import { ringConvSuite } from '../../support/reference/ring_conv.js';
import { ringExpandSuite } from '../../support/reference/ring_expand.js';
import { ringWeightSuite } from '../../support/reference/ring_weight.js';
import { rotateSuite } from '../../support/reference/rotate.js';
import { sgdSuite } from '../../support/reference/sgd.js';
import type { OpStem } from '../../../binding.js';

export interface OpFaultRun {
  /** The function of the CUDA runtime that failed. */
  failed: string;
  /** Of each call, its results or its error: of the run with the failure, and of another on the same device. */
  outcomes: Outcome[][];
  /** What the device holds at the end. */
  buffers: number;
  /** What the interpreter has to say: memory that nobody has written was read, and the like. */
  report: string;
}

export interface Outcome {
  name: string;
  /** A hash of them. */
  results?: string;
  code?: string;
  message?: string;
}

type Shapes = Record<string, readonly number[]>;

const perChannel = { weight: [3], bias: [3], mean: [3], variance: [3] };

/** Forward and, where there is one, backward: in each type that its activations may have. */
const opCalls: Readonly<Record<OpStem, readonly [suite: OpSuite<any>, inputs: Shapes, options: unknown][]>> = {
  activation: [[activationSuite, { x: [3, 5] }, { slope: 0.1 }]],
  add: [[addSuite, { a: [3, 5], b: [3, 5] }, null]],
  avg_pool: [[avgPoolSuite, { x: [2, 3, 5, 4] }, { kernelSize: 3, stride: 2, padding: 1 }]],
  batch_norm: [
    [batchNormSuite, { x: [4, 3, 5], residual: [4, 3, 5], ...perChannel }, { training: true, relu: true }],
    [batchNormSuite, { x: [4, 3, 5], ...perChannel }, { training: false }],
  ],
  cast: [
    [castSuite, { x: [3, 5] }, 'bfloat16'],
    [castSuite, { x: [3, 5] }, 'float32'],
  ],
  conv: [
    [convSuite, { x: [1, 2, 5, 4], w: [3, 2, 3, 3], bias: [3] }, { padding: 1 }],
    [convSuite, { x: [1, 3, 3, 4], w: [3, 2, 3, 3], bias: [2] }, { stride: 2, transposed: true }],
    [convSuite, { x: [1, 3, 5, 4], w: [3, 1, 3, 3] }, { groups: 3 }],
  ],
  cross_entropy: [[crossEntropySuite, { logits: [4, 3], targets: [4] }, { classes: 3 }]],
  global_avg_pool: [[globalAvgPoolSuite, { x: [2, 3, 5] }, null]],
  max_pool: [[maxPoolSuite, { x: [2, 3, 5, 4] }, { kernelSize: 3, stride: 2, padding: 1 }]],
  pad: [[padSuite, { x: [1, 2, 4, 5] }, { padding: [[1, 2], [0, 1]], mode: 'reflect' }]], // prettier-ignore
  reduce: [[reduceSuite, { x: [3, 5, 2] }, { op: 'mean', axes: [0, 2] }]],
  ring_conv: [
    [ringConvSuite, { x: [1, 2, 6, 7], v: [3, 2, 3], bias: [3] }, { kernelSize: [5, 5], padding: 2 }],
    [ringConvSuite, { x: [1, 3, 3, 4], v: [3, 2, 2] }, { kernelSize: [3, 3], stride: 2, transposed: true }],
  ],
  ring_expand: [[ringExpandSuite, { v: [3, 2, 2] }, { kernelSize: [3, 3] }]],
  ring_weight: [[ringWeightSuite, { weight: [3, 2, 3], logSigmas: [3] }, { logSigma: -0.8 }]],
  rotate: [[rotateSuite, { x: [1, 2, 4, 5] }, { degrees: 30, flip: 2 }]],
  sgd: [[sgdSuite, { parameter: [7], gradient: [7], velocity: [7] }, { lr: 0.1, momentum: 0.9, firstStep: false }]],
};

/** A hash of all that was made: it is read, so that no failure is left over, and disposed of. */
async function readAll(tensors: readonly gmr.Tensor[]): Promise<string> {
  const reads = tensors.map((tensor) => tensor.data());
  for (const tensor of tensors) tensor.dispose();
  await Promise.allSettled(reads);
  const hash = createHash('sha256');
  for (const read of reads) hash.update(await read);
  return hash.digest('hex').slice(0, 16);
}

async function runOp(
  suite: OpSuite<any>,
  inputs: Shapes,
  options: unknown,
  dtype: 'float32' | 'bfloat16',
  device: gmr.Device,
): Promise<string> {
  const testCase = { name: suite.op, inputs, options };
  const made: gmr.Tensor[] = [];
  try {
    const given: Record<string, gmr.Tensor> = {};
    for (const [name, array] of Object.entries(caseInputs(suite, testCase))) {
      made.push((given[name] = toTensor(suite, name, array, device, dtype)));
    }
    const y = suite.run(given, options);
    if (!made.includes(y)) made.push(y);
    if (y.requiresGrad) {
      const upstream = gmr.tensor(Float32Array.from(normal(y.shape, uniform(99)).data), y.shape, {
        device,
        dtype: y.dtype,
      });
      made.push(upstream);
      y.backward(upstream);
    }
    for (const { grad } of Object.values(given)) if (grad !== null) made.push(grad);
    return await readAll(made);
  } catch (error) {
    for (const tensor of made) tensor.dispose();
    throw error;
  }
}

/** Layers in evaluation, which run as fewer passes. */
async function evaluate(device: gmr.Device): Promise<string> {
  const generator = new gmr.Generator(1);
  const { nn } = gmr;
  const layers: gmr.nn.Module[] = [];
  try {
    layers.push(new nn.GMRConv2d(1, 3, 3, { generator, device }), new nn.BatchNorm2d(3, { device }), new nn.ReLU());
    layers.push(new nn.Conv2d(3, 2, 3, { generator, device }), new nn.BatchNorm2d(2, { device }), new nn.MaxPool2d(2));
    const model = new nn.Sequential(...layers).eval();
    const [y] = gmr.scope(() => {
      const x = gmr.tensor(new Float32Array(64).fill(1), [1, 1, 8, 8], { device });
      return [readAll([gmr.noGrad(() => model.forward(x))])];
    });
    return await y;
  } finally {
    for (const layer of layers) layer.dispose();
  }
}

/** More than the slots that uploads go through hold (GMR_CUDA_SIM_MEMORY), in parts and at once. */
async function upload(device: gmr.Device): Promise<string> {
  const made: gmr.Tensor[] = [];
  for (const count of [2 ** 18 + 2 ** 15, 2 ** 14, 2 ** 14]) {
    made.push(gmr.tensor(new Float32Array(count).fill(count), undefined, { device }));
  }
  const sums = made.map((tensor) => gmr.ops.reduce(tensor, { op: 'mean' }));
  for (const tensor of made) tensor.dispose();
  return readAll(sums);
}

const calls: [name: string, call: (device: gmr.Device) => Promise<string>][] = Object.values(opCalls)
  .flat()
  .flatMap(([suite, inputs, options]) => {
    const dtypes = suite.activations === undefined ? (['float32'] as const) : (['float32', 'bfloat16'] as const);
    return dtypes.map((dtype): (typeof calls)[number] => [
      `${suite.op} ${dtype}`,
      (device) => runOp(suite, inputs, options, dtype, device),
    ]);
  });
calls.push(['evaluation', evaluate], ['upload', upload]);

async function runCalls(open: () => gmr.Device): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [name, call] of calls) {
    try {
      outcomes.push({ name, results: await call(open()) });
    } catch (error) {
      const { code, message } = error as gmr.GmrError;
      outcomes.push({ name, code, message });
    }
  }
  return outcomes;
}

const [error, first, step, count] = process.argv.slice(2).map(Number) as [number, number, number, number];
const control = cudaSimControl();
for (let index = 0, failed = '?'; failed !== '' && index < count; ++index) {
  let device: gmr.Device | undefined;
  const open = (): gmr.Device => (device ??= gmr.Device.open('cuda_sim', index + 1)); // 0 is open, by devices.ts
  control.fail('*', first + step * index, error);
  const outcomes = [await runCalls(open)];
  failed = control.failed();
  const report = control.report();
  control.reset();
  outcomes.push(await runCalls(open));
  // The stream lets go of what was read a moment after the read.
  for (let i = 0; i < 100 && gmr.memory(device).buffers > 0; ++i) await setTimeout(1);
  const { buffers } = gmr.memory(device);
  console.log(JSON.stringify({ failed, outcomes, buffers, report } satisfies OpFaultRun));
}
