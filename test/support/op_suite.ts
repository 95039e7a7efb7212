// One case table an op feeds its value test and its gradient check, on every device there is.
import { expect } from 'chai';
import type { OpStem } from '../../binding.js';
import * as gmr from '../../lib/index.js';
import { underSchedules } from './cuda_sim.js';
import { cudaSim, devices, nameOf } from './devices.js';
import {
  bfloat16Rounding,
  dot,
  expectClose,
  expectRounded,
  float32Tolerance,
  norm,
  normal,
  toBfloat16,
  uniform,
  type NdArray,
} from './ndarray.js';

/** What the activations of a case are. */
export type ActivationDType = 'float32' | 'bfloat16';

export interface OpCase<Options> {
  name: string;
  /** Shapes of the inputs, by argument name. */
  inputs: Record<string, readonly number[]>;
  options: Options;
  /** Relative, of norms. Say why when it is not the default. */
  tolerance?: number;
}

export interface OpSuite<Options> {
  op: OpStem;
  cases: readonly OpCase<Options>[];
  /** The library's op. */
  run(inputs: Record<string, gmr.Tensor>, options: Options): gmr.Tensor;
  /**
   * The naive float64 loop. It must not change its inputs.
   * @param elements Flat indices of the results that are asked for; a slow oracle may leave the others at 0.
   */
  reference(inputs: Record<string, NdArray>, options: Options, elements?: readonly number[]): NdArray;
  /** Values of one input; default standard normal. They must be float32 numbers. */
  sample?(name: string, shape: readonly number[], random: () => number, options: Options): NdArray;
  /** Inputs without a gradient; integer ones are passed to `run` as int32. */
  constants?: readonly string[];
  integers?: readonly string[];
  /**
   * With activations of bfloat16 GPUs round both operands of the product, weights and ring sums among them, by half of
   * `bfloat16Rounding` each. Errors of elements have either sign, so that their norm is below their sum.
   */
  isProduct?: true;
  /** Inputs that may be bfloat16; with them the cases are run a second time. Others, the parameters, are float32. */
  activations?: readonly string[];
  /** Type of the result, where it may be another than that of the activations. */
  resultDType?(dtype: ActivationDType, options: Options): ActivationDType;
}

/** Seeded inputs of a case, as the oracle sees them. */
export function caseInputs<Options>(
  suite: OpSuite<Options>,
  testCase: OpCase<Options>,
  seed = 12345,
): Record<string, NdArray> {
  const random = uniform(seed);
  return Object.fromEntries(
    Object.entries(testCase.inputs).map(([name, shape]) => [
      name,
      suite.sample?.(name, shape, random, testCase.options) ?? normal(shape, random),
    ]),
  );
}

export function toTensor<Options>(
  suite: OpSuite<Options>,
  name: string,
  array: NdArray,
  device: gmr.Device,
  activations: ActivationDType = 'float32',
): gmr.Tensor {
  if (suite.integers?.includes(name) === true) {
    return gmr.tensor(Int32Array.from(array.data), array.shape, { device });
  }
  const requiresGrad = suite.constants?.includes(name) !== true;
  const dtype = suite.activations?.includes(name) === true ? activations : 'float32';
  return gmr.tensor(Float32Array.from(array.data), array.shape, { device, dtype, requiresGrad });
}

// Central differences of a float64 function: truncation about 1e-10, rounding about 1e-11, far below the tolerance.
const step = 1e-5;

/** The derivative of <upstream, f(inputs)> along `direction` of one input. */
function slope<Options>(
  suite: OpSuite<Options>,
  inputs: Record<string, NdArray>,
  options: Options,
  name: string,
  direction: Float64Array,
  upstream: Float64Array,
): number {
  const at = (h: number): number => {
    const moved = inputs[name]!.data.map((value, i) => value + h * direction[i]!);
    return dot(
      suite.reference({ ...inputs, [name]: { shape: inputs[name]!.shape, data: moved } }, options).data,
      upstream,
    );
  };
  return (at(step) - at(-step)) / (2 * step);
}

interface Probe {
  name: string;
  direction: Float64Array;
  slope: number;
}

/** Slopes along random directions and along single elements of every input that has a gradient. */
function probes<Options>(
  suite: OpSuite<Options>,
  testCase: OpCase<Options>,
  inputs: Record<string, NdArray>,
  upstream: Float64Array,
): Probe[] {
  const random = uniform(777);
  const result: Probe[] = [];
  for (const [name, { data, shape }] of Object.entries(inputs)) {
    if (suite.constants?.includes(name) === true || suite.integers?.includes(name) === true || data.length === 0)
      continue;
    const directions = [normal(shape, random).data, normal(shape, random).data];
    for (let i = 0; i < Math.min(6, data.length); ++i) {
      const single = new Float64Array(data.length);
      single[Math.floor(random() * data.length)] = 1;
      directions.push(single);
    }
    for (const direction of directions) {
      result.push({ name, direction, slope: slope(suite, inputs, testCase.options, name, direction, upstream) });
    }
  }
  return result;
}

/** What a case should give. */
export interface Expected {
  /** Of the activations, and of the result. */
  dtype: ActivationDType;
  resultDType: ActivationDType;
  inputs: Record<string, NdArray>;
  y: NdArray;
  upstream: NdArray;
  probes: Probe[];
}

function rounded(array: NdArray, dtype: ActivationDType): NdArray {
  return dtype === 'float32' ? array : { ...array, data: array.data.map(toBfloat16) };
}

export function expectedOf<Options>(
  suite: OpSuite<Options>,
  testCase: OpCase<Options>,
  dtype: ActivationDType,
  seed?: number,
): Expected {
  const inputs = Object.fromEntries(
    Object.entries(caseInputs(suite, testCase, seed)).map(([name, array]) => [
      name,
      suite.activations?.includes(name) === true ? rounded(array, dtype) : array,
    ]),
  );
  const resultDType = suite.resultDType?.(dtype, testCase.options) ?? dtype;
  const y = suite.reference(inputs, testCase.options);
  const upstream = rounded(normal(y.shape, uniform(99)), resultDType);
  return { dtype, resultDType, inputs, y, upstream, probes: probes(suite, testCase, inputs, upstream.data) };
}

/** The most by which <gradient, direction> is off: each element's rounding, and what float32 may be off by. */
function probeLimit(values: ArrayLike<number>, dtype: gmr.DType, direction: Float64Array, tolerance: number): number {
  const float32Error = tolerance * Math.max(norm(values) * norm(direction), 1e-3);
  if (dtype === 'float32') return float32Error;
  const rounding = direction.reduce((sum, value, i) => sum + Math.abs(value * values[i]!), 0) * bfloat16Rounding;
  return rounding * (1 + bfloat16Rounding) + float32Error;
}

interface Values {
  dtype: gmr.DType;
  shape: readonly number[];
  data: ArrayLike<number> & ArrayBufferView;
}

async function valuesOf(tensor: gmr.Tensor): Promise<Values> {
  return { dtype: tensor.dtype, shape: tensor.shape, data: await tensor.data() };
}

interface Outcome {
  y: Values;
  /** By the input's name. */
  gradients: ReadonlyMap<string, Values>;
}

async function runCase<Options>(
  suite: OpSuite<Options>,
  testCase: OpCase<Options>,
  expected: Expected,
  device: gmr.Device,
): Promise<Outcome> {
  const tensors = Object.fromEntries(
    Object.entries(expected.inputs).map(([input, array]) => [
      input,
      toTensor(suite, input, array, device, expected.dtype),
    ]),
  );
  const y = suite.run(tensors, testCase.options);
  const outcome = { y: await valuesOf(y), gradients: new Map<string, Values>() };
  if (expected.probes.length > 0) {
    const { data, shape } = expected.upstream;
    y.backward(gmr.tensor(Float32Array.from(data), shape, { device, dtype: y.dtype }));
  }
  for (const [name, { grad }] of Object.entries(tensors)) {
    if (grad !== null) outcome.gradients.set(name, await valuesOf(grad));
  }
  y.dispose();
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return outcome;
}

function bytesOf({ data }: Values): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function expectSameBits(again: Outcome, first: Outcome, name: string): void {
  expect(bytesOf(again.y).equals(bytesOf(first.y)), `${name}: the same values again`).to.equal(true);
  for (const [input, gradient] of first.gradients) {
    const same = bytesOf(again.gradients.get(input)!).equals(bytesOf(gradient));
    expect(same, `${name}: the same gradient of ${input} again`).to.equal(true);
  }
}

async function checkCase<Options>(
  suite: OpSuite<Options>,
  testCase: OpCase<Options>,
  expected: Expected,
  device: gmr.Device,
): Promise<void> {
  const roundsOperands = suite.isProduct === true && expected.dtype === 'bfloat16' && device.kind !== 'cpu';
  const tolerance = roundsOperands ? bfloat16Rounding : (testCase.tolerance ?? float32Tolerance);
  const name = nameOf(device);
  const run = (): Promise<Outcome> => runCase(suite, testCase, expected, device);
  const outcome = await run();
  const { y, gradients } = outcome;
  expect(y.shape, `${name}: shape`).to.deep.equal(expected.y.shape);
  expect(y.dtype, `${name}: type`).to.equal(expected.resultDType);
  const compare = y.dtype === 'float32' ? expectClose : expectRounded;
  compare(y.data, expected.y.data, `${name}: values`, tolerance);
  for (const probe of expected.probes) {
    const gradient = gradients.get(probe.name);
    const dtype = suite.activations?.includes(probe.name) === true ? expected.dtype : 'float32';
    expect(gradient?.dtype, `${name}: type of the gradient of ${probe.name}`).to.equal(dtype);
    expect(gradient?.shape, `${name}: gradient of ${probe.name}`).to.deep.equal(expected.inputs[probe.name]!.shape);
    const { data } = gradient!;
    const error = Math.abs(dot(data, probe.direction) - probe.slope);
    const limit = probeLimit(data, dtype, probe.direction, tolerance);
    expect(error <= limit, `${name}: gradient of ${probe.name} off by ${error}, limit ${limit}`).to.equal(true);
  }
  if (device.kind === 'cpu') return;
  const again = device === cudaSim ? await underSchedules(run, [20_111]) : [await run()];
  for (const each of again) expectSameBits(each, outcome, name);
}

/**
 * Values against the oracle and gradients against the oracle's differences, for every case, on every device, and on GPUs the
 * same bits twice; with activations of bfloat16 too, where the op takes them.
 */
export function describeOp<Options>(
  suite: OpSuite<Options>,
  title: string = suite.op,
  on: readonly gmr.Device[] = devices,
): void {
  describe(title, () => {
    for (const dtype of suite.activations === undefined ? (['float32'] as const) : (['float32', 'bfloat16'] as const)) {
      for (const testCase of suite.cases) {
        let expected: Expected | undefined; // worked out once, at the first device
        for (const kind of new Set(on.map((device) => device.kind))) {
          const what = dtype === 'float32' ? kind : `${kind}, ${dtype}`;
          it(`${testCase.name}: values and gradients (${what})`, async () => {
            expected ??= expectedOf(suite, testCase, dtype);
            for (const device of on) {
              if (device.kind === kind) await checkCase(suite, testCase, expected, device);
            }
          });
        }
      }
    }
  });
}
