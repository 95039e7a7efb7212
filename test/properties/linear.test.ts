// Linear ops: A(a x + b y) = a A x + b A y, and the gradient is the adjoint, <A x, y> = <x, A' y>. For every case of their tables,
// in each input in which they are linear, on every device. The oracle is not asked: these hold or not by themselves.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices } from '../support/devices.js';
import { dot, norm, normal, uniform, type NdArray } from '../support/ndarray.js';
import { caseInputs, toTensor, type OpCase, type OpSuite } from '../support/op_suite.js';
import { addSuite } from '../support/reference/add.js';
import { avgPoolSuite } from '../support/reference/avg_pool.js';
import { convSuite } from '../support/reference/conv.js';
import { globalAvgPoolSuite } from '../support/reference/global_avg_pool.js';
import { padSuite } from '../support/reference/pad.js';
import { reduceSuite } from '../support/reference/reduce.js';
import { ringConvSuite } from '../support/reference/ring_conv.js';
import { ringExpandSuite } from '../support/reference/ring_expand.js';
import { ringWeightSuite } from '../support/reference/ring_weight.js';
import { rotateSuite } from '../support/reference/rotate.js';

// Both sides are float32 sums of up to some thousand terms. The factors are powers of two: beside the sums, only a x + b y is rounded.
const tolerance = 1e-6;
const [a, b] = [2, -0.5];

interface Result {
  y: Float32Array;
  /** Of <y, upstream>. */
  gradient: Float32Array;
}

/** The op with `x` in the place of one input. */
async function apply<Options>(
  suite: OpSuite<Options>,
  { options }: OpCase<Options>,
  inputs: Record<string, NdArray>,
  name: string,
  x: NdArray,
  upstream: (shape: readonly number[]) => NdArray,
  device: gmr.Device,
): Promise<Result> {
  const [y, gradient] = await Promise.all(
    gmr.scope(() => {
      const tensors = Object.fromEntries(
        Object.entries({ ...inputs, [name]: x }).map(([key, array]) => [key, toTensor(suite, key, array, device)]),
      );
      const result = suite.run(tensors, options);
      const { data, shape } = upstream(result.shape);
      const read = result.data();
      result.backward(gmr.tensor(Float32Array.from(data), shape, { device }));
      return [read, tensors[name]!.grad!.data()] as const;
    }),
  );
  return { y: y as Float32Array, gradient: gradient as Float32Array };
}

function describeLinear<Options>(
  suite: OpSuite<Options>,
  names: readonly string[],
  zeroed: readonly string[] = [],
): void {
  describe(`${suite.op} is linear, and its gradient its adjoint`, () => {
    for (const testCase of suite.cases) {
      it(testCase.name, async () => {
        // A bias makes the op affine: left out. Others' shares are set to zero.
        const { bias: _, ...inputs } = caseInputs(suite, testCase);
        const random = uniform(31);
        for (const name of names) {
          const { shape } = inputs[name]!;
          const others = Object.fromEntries(
            Object.entries(inputs).map(([key, { shape, data }]) => [
              key,
              { shape, data: key !== name && zeroed.includes(key) ? data.map(() => 0) : data },
            ]),
          );
          const [x, y] = [normal(shape, random), normal(shape, random)];
          const both = { shape, data: x.data.map((value, i) => Math.fround(a * value + b * y.data[i]!)) };
          const upstream = (of: readonly number[]): NdArray => normal(of, uniform(47));
          for (const device of devices) {
            const of = (input: NdArray): Promise<Result> =>
              apply(suite, testCase, others, name, input, upstream, device);
            const [ofX, ofY, ofBoth] = [await of(x), await of(y), await of(both)];
            const off = Float64Array.from(ofBoth.y, (value, i) => value - (a * ofX.y[i]! + b * ofY.y[i]!));
            const scale = Math.abs(a) * norm(ofX.y) + Math.abs(b) * norm(ofY.y);
            expect(norm(off), `${device.level}: linear in ${name}`).to.be.at.most(tolerance * scale);

            const u = upstream([ofX.y.length]).data;
            const difference = dot(ofX.y, u) - dot(x.data, ofX.gradient);
            const limit = tolerance * norm(ofX.y) * norm(u);
            expect(Math.abs(difference), `${device.level}: adjoint in ${name}`).to.be.at.most(limit);
          }
        }
      });
    }
  });
}

describeLinear(addSuite, ['a', 'b'], ['a', 'b']);
describeLinear(avgPoolSuite, ['x']);
describeLinear(convSuite, ['x', 'w']);
describeLinear(globalAvgPoolSuite, ['x']);
describeLinear(padSuite, ['x']);
describeLinear(reduceSuite, ['x']);
describeLinear(ringConvSuite, ['x', 'v']);
describeLinear(ringExpandSuite, ['v']);
describeLinear(ringWeightSuite, ['weight']);
describeLinear(rotateSuite, ['x']);
