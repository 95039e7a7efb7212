// What the benches time is right: each of their cases is run by the op's test suite and held against its oracle, on every device
// but the interpreter of CUDA kernels, which would take minutes over the sizes that are timed.
import { expect } from 'chai';
import type { OpStem } from '../../binding.js';
import type { BenchCase, BenchSuite } from '../../bench/support/cases.js';
import { benchedOps, loadSuite } from '../../bench/support/suites.js';
import * as gmr from '../../lib/index.js';
import { cudaSim, devices } from '../support/devices.js';
import { dot, expectClose, norm, normal, sizeOf, uniform, type NdArray } from '../support/ndarray.js';
import { caseInputs, toTensor } from '../support/op_suite.js';

type Tensors = Record<string, gmr.Tensor>;

/** Elements of an input; of larger ones, fewer images are taken. */
const mostElements = 2 ** 19;
/** Elements that an oracle computes which needs thousands of products for each. */
const sampledElements = 24;
/** The ops with such an oracle, and the inputs in which they are linear: gradients are held against the adjoint identity. */
const products: Partial<Record<OpStem, readonly string[]>> = { conv: ['x', 'w'], ring_conv: ['x', 'v'] };
// As in test/properties/linear.test.ts.
const adjointTolerance = 1e-6;

/** Whether the first axis of an input is that of the batch, and not the outputs of a weight. */
const batched = new Set(['x', 'a', 'b', 'logits', 'targets', 'parameter', 'gradient', 'velocity']);

/** The case with as much of its batch as is quick enough. */
function cut<Options>(benchCase: BenchCase<Options>): BenchCase<Options> {
  const shapes = Object.entries(benchCase.inputs).filter(([name]) => batched.has(name));
  const most = shapes.map(([, [, ...rest]]) => Math.max(1, Math.floor(mostElements / sizeOf(rest))));
  const batch = Math.min(...most);
  const inputs = Object.entries(benchCase.inputs).map(([name, shape]): [string, readonly number[]] => {
    const [first, ...rest] = shape;
    return [name, batched.has(name) ? [Math.min(first!, batch), ...rest] : shape];
  });
  return { ...benchCase, inputs: Object.fromEntries(inputs) };
}

/** The first, the last, and some between. */
function sampled(shape: readonly number[]): number[] {
  const random = uniform(3);
  const size = sizeOf(shape);
  return [0, size - 1, ...Array.from({ length: sampledElements - 2 }, () => Math.floor(random() * size))];
}

/** <A x, u> = <x, A' u> in each of the inputs. */
async function expectAdjoint(
  tensors: Tensors,
  names: readonly string[],
  y: gmr.Tensor,
  device: gmr.Device,
): Promise<void> {
  const u = normal(y.shape, uniform(5)).data;
  y.backward(gmr.tensor(Float32Array.from(u), y.shape, { device }));
  const values = await y.data();
  const limit = adjointTolerance * norm(values) * norm(u);
  for (const name of names) {
    const { grad } = tensors[name]!;
    const difference = dot(values, u) - dot(await tensors[name]!.data(), await grad!.data());
    expect(Math.abs(difference), `${device.level}: gradient of ${name}`).to.be.at.most(limit);
    grad!.dispose();
  }
}

async function check({ test }: BenchSuite, benchCase: BenchCase): Promise<void> {
  const inputs = caseInputs(test, benchCase);
  const linear = products[test.op];
  let expected: NdArray | undefined;
  let elements: number[] | undefined;
  for (const device of devices.filter((candidate) => candidate !== cudaSim)) {
    const tensors: Tensors = Object.fromEntries(
      Object.entries(inputs).map(([name, array]) => [name, toTensor(test, name, array, device)]),
    );
    const y = test.run(tensors, benchCase.options);
    if (expected === undefined) {
      elements = linear === undefined ? undefined : sampled(y.shape);
      expected = test.reference(inputs, benchCase.options, elements);
    }
    expect(y.shape, device.level).to.deep.equal(expected.shape);
    const values = await y.data();
    const at = (data: ArrayLike<number>): ArrayLike<number> => elements?.map((i) => data[i]!) ?? data;
    expectClose(at(values), at(expected.data), device.level, benchCase.tolerance);
    if (linear !== undefined) await expectAdjoint(tensors, linear, y, device);
    for (const tensor of [y, ...Object.values(tensors)]) tensor.dispose();
  }
}

for (const op of benchedOps()) {
  const suite = await loadSuite(op);
  describe(`bench of ${op}`, () => {
    it('is of this op', () => {
      expect(suite.test.op).to.equal(op);
    });
    for (const benchCase of suite.cases) {
      it(`${benchCase.name}, against the oracle`, () => check(suite, cut(benchCase)));
    }
  });
}
