// Every op with random shapes, options and types of activations against its float64 oracle, values and gradients, on
// every device. The outcome of a case is a hash of all its results; with `hash` as the third argument it is all that is
// made, to compare numbers of threads.
import { createHash } from 'node:crypto';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { bfloat16Rounding, dot, float32Tolerance, norm, normal, sizeOf, uniform } from '../support/ndarray.js';
import { caseInputs, expectedOf, toTensor, type ActivationDType, type Expected } from '../support/op_suite.js';
import { runCases, type Random } from './cases.js';
import { randomCase, type RandomCase } from './random_cases.js';

const hashOnly = process.argv[4] === 'hash';

/** Fails where a computation with errors of `error`, rounded to `dtype` at its end, could not have given `actual`. */
function expectNear(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  error: number,
  dtype: ActivationDType,
  what: string,
): void {
  if (actual.length !== expected.length) throw new Error(`${what}: ${actual.length} elements, not ${expected.length}`);
  let excess = 0;
  for (let i = 0; i < expected.length; ++i) {
    const rounding = dtype === 'float32' ? 0 : bfloat16Rounding * (Math.abs(expected[i]!) + error);
    const off = Math.abs(actual[i]! - expected[i]!);
    excess = Math.hypot(excess, Math.max(0, off - rounding), off === off ? 0 : NaN);
  }
  if (!(excess <= error)) throw new Error(`${what}: off by ${excess}, limit ${error}`);
}

const rootMeanSquare = (values: Float64Array): number => norm(values) / Math.sqrt(Math.max(1, values.length));

/** What rounding is relative to where sums cancel: the result without signs, or the inputs if even that cancels. */
function roundingScale({ suite, testCase }: RandomCase, { inputs, y }: Expected): number {
  const unsigned = Object.fromEntries(
    Object.entries(inputs).map(([name, array]) => [name, { ...array, data: array.data.map(Math.abs) }]),
  );
  const largest = Math.max(...Object.values(inputs).map(({ data }) => rootMeanSquare(data)));
  return Math.max(norm(suite.reference(unsigned, testCase.options).data), Math.sqrt(y.data.length) * largest);
}

interface Results {
  y: Float32Array;
  shape: readonly number[];
  gradients: Map<string, Float32Array>;
}

async function compute(
  { suite, testCase }: RandomCase,
  dtype: ActivationDType,
  seed: number,
  device: gmr.Device,
): Promise<Results> {
  const inputs = caseInputs(suite, testCase, seed);
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, array]) => [name, toTensor(suite, name, array, device, dtype)]),
  );
  const y = suite.run(tensors, testCase.options);
  const values = (await y.data()) as Float32Array;
  if (y.requiresGrad) {
    const upstream = normal(y.shape, uniform(99));
    y.backward(gmr.tensor(Float32Array.from(upstream.data), y.shape, { device, dtype: y.dtype }));
  }
  const gradients = new Map<string, Float32Array>();
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor.grad !== null) gradients.set(name, (await tensor.grad.data()) as Float32Array);
  }
  const results = { y: values, shape: y.shape, gradients };
  y.dispose();
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return results;
}

/** What errors are relative to: see `isProduct` for the rounding of operands on GPUs. */
function toleranceOf({ suite }: RandomCase, dtype: ActivationDType, device: gmr.Device): number {
  const roundsOperands = suite.isProduct === true && dtype === 'bfloat16' && device.kind !== 'cpu';
  return roundsOperands ? bfloat16Rounding : float32Tolerance;
}

function check(drawn: RandomCase, expected: Expected, scale: number, results: Results, device: gmr.Device): void {
  const { y, shape, gradients } = results;
  const { suite, testCase } = drawn;
  const { dtype, resultDType } = expected;
  const where = `${nameOf(device)}, ${suite.op} ${dtype} ${testCase.name}`;
  if (shape.join() !== expected.y.shape.join()) {
    throw new Error(`${where}: shape [${shape.join()}], not [${expected.y.shape.join()}]`);
  }
  const tolerance = toleranceOf(drawn, dtype, device);
  const error = tolerance * Math.max(norm(expected.y.data), scale);
  expectNear(y, expected.y.data, error, resultDType, `${where}: values`);
  for (const { name, direction, slope } of expected.probes) {
    const gradient = gradients.get(name);
    if (gradient === undefined) throw new Error(`${where}: no gradient of ${name}`);
    const floor = norm(expected.upstream.data);
    const off = Math.abs(dot(gradient, direction) - slope);
    const isRounded = dtype === 'bfloat16' && suite.activations!.includes(name);
    const rounding = isRounded ? dot(gradient.map(Math.abs), direction.map(Math.abs)) * bfloat16Rounding : 0;
    const limit = tolerance * Math.max(norm(gradient), floor) * norm(direction) + rounding * (1 + bfloat16Rounding);
    if (!(off <= limit)) throw new Error(`${where}: gradient of ${name} off by ${off}, limit ${limit}`);
  }
}

/** A type that the case can have: of more than 512 elements, not all differ in bfloat16, and those at a maximum have to. */
function drawDType({ suite, testCase }: RandomCase, random: Random): ActivationDType {
  const isBfloat16 = random.chance(0.5) && suite.activations !== undefined;
  return isBfloat16 && (suite.op !== 'max_pool' || sizeOf(testCase.inputs['x']!) <= 512) ? 'bfloat16' : 'float32';
}

async function runCase(random: Random): Promise<string> {
  const drawn = randomCase(random);
  const { suite, testCase } = drawn;
  const dtype = drawDType(drawn, random);
  // The interpreter of CUDA kernels takes its time.
  const tried = random.chance(0.1) ? devices : devices.filter(({ kind }) => kind !== 'cuda_sim');
  const expected = hashOnly ? undefined : expectedOf(suite, testCase, dtype, random.seed);
  const scale = expected === undefined ? 0 : roundingScale(drawn, expected);
  const hash = createHash('sha256');
  for (const device of tried) {
    const results = await compute(drawn, dtype, random.seed, device);
    if (expected !== undefined) check(drawn, expected, scale, results, device);
    hash.update(results.y);
    for (const gradient of results.gradients.values()) hash.update(gradient);
  }
  return `${suite.op} ${dtype} ${hash.digest('hex').slice(0, 16)}`;
}

await runCases(runCase);
