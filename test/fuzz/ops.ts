// Every op with random shapes and options against its float64 oracle, values and gradients, on every device. The
// outcome of a case is a hash of all its results; with `hash` as the third argument it is all that is made, to compare
// numbers of threads.
import { createHash } from 'node:crypto';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { dot, float32Tolerance, norm, normal, uniform } from '../support/ndarray.js';
import { caseInputs, expectedOf, toTensor, type Expected } from '../support/op_suite.js';
import { runCases, type Random } from './cases.js';
import { randomCase, type RandomCase } from './random_cases.js';

const hashOnly = process.argv[4] === 'hash';

/** Fails where a float32 computation with rounding at `scale` could not have given `actual`. */
function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>, scale: number, what: string): void {
  if (actual.length !== expected.length) throw new Error(`${what}: ${actual.length} elements, not ${expected.length}`);
  let error = 0;
  for (let i = 0; i < expected.length; ++i) error = Math.hypot(error, actual[i]! - expected[i]!);
  const limit = float32Tolerance * Math.max(norm(expected), scale);
  if (!(error <= limit)) throw new Error(`${what}: off by ${error}, limit ${limit}`);
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

async function compute({ suite, testCase }: RandomCase, seed: number, device: gmr.Device): Promise<Results> {
  const inputs = caseInputs(suite, testCase, seed);
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, array]) => [name, toTensor(suite, name, array, device)]),
  );
  const y = suite.run(tensors, testCase.options);
  const values = (await y.data()) as Float32Array;
  if (y.requiresGrad) {
    const upstream = normal(y.shape, uniform(99));
    y.backward(gmr.tensor(Float32Array.from(upstream.data), y.shape, { device }));
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

function check(expected: Expected, scale: number, { y, shape, gradients }: Results, where: string): void {
  if (shape.join() !== expected.y.shape.join()) {
    throw new Error(`${where}: shape [${shape.join()}], not [${expected.y.shape.join()}]`);
  }
  expectNear(y, expected.y.data, scale, `${where}: values`);
  for (const { name, direction, slope } of expected.probes) {
    const gradient = gradients.get(name);
    if (gradient === undefined) throw new Error(`${where}: no gradient of ${name}`);
    const floor = norm(expected.upstream.data);
    const error = Math.abs(dot(gradient, direction) - slope);
    const limit = float32Tolerance * Math.max(norm(gradient), floor) * norm(direction);
    if (!(error <= limit)) throw new Error(`${where}: gradient of ${name} off by ${error}, limit ${limit}`);
  }
}

async function runCase(random: Random): Promise<string> {
  const drawn = randomCase(random);
  const { suite, testCase } = drawn;
  const what = `${suite.op} ${testCase.name}`;
  // The interpreter of CUDA kernels takes its time.
  const tried = random.chance(0.1) ? devices : devices.filter(({ kind }) => kind !== 'cuda_sim');
  const expected = hashOnly ? undefined : expectedOf(suite, testCase, 'float32', random.seed);
  const scale = expected === undefined ? 0 : roundingScale(drawn, expected);
  const hash = createHash('sha256');
  for (const device of tried) {
    const results = await compute(drawn, random.seed, device);
    if (expected !== undefined) check(expected, scale, results, `${nameOf(device)}, ${what}`);
    hash.update(results.y);
    for (const gradient of results.gradients.values()) hash.update(gradient);
  }
  return `${suite.op} ${hash.digest('hex').slice(0, 16)}`;
}

await runCases(runCase);
