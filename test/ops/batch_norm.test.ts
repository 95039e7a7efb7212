import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { expectFailure } from '../support/failure.js';
import { expectClose, normal, uniform } from '../support/ndarray.js';
import { describeOp } from '../support/op_suite.js';
import { batchNormSuite, channelStatistics } from '../support/reference/batch_norm.js';

const { batchNorm } = gmr.ops;

describeOp(batchNormSuite);

describe('batch_norm: running statistics', () => {
  for (const device of devices) {
    const fresh = (channels: number): { mean: gmr.Tensor; variance: gmr.Tensor } => ({
      mean: gmr.tensor(new Float32Array(channels), undefined, { device }),
      variance: gmr.tensor(new Float32Array(channels).fill(1), undefined, { device }),
    });

    it(`moves towards the batches' as a float64 loop does (${nameOf(device)})`, async () => {
      const random = uniform(3);
      const running = fresh(5);
      const mean = new Float64Array(5);
      const variance = new Float64Array(5).fill(1);
      for (const momentum of [0.1, 0.25, 0.1]) {
        const x = normal([3, 5, 7], random);
        const batch = channelStatistics(x);
        for (let c = 0; c < 5; ++c) {
          mean[c] = (1 - momentum) * mean[c]! + momentum * batch.mean[c]!;
          const unbiased = (batch.variance[c]! * batch.count) / (batch.count - 1);
          variance[c] = (1 - momentum) * variance[c]! + momentum * unbiased;
        }
        batchNorm(gmr.tensor(Float32Array.from(x.data), x.shape, { device }), null, null, running, {
          training: true,
          momentum,
        });
      }
      expectClose(await running.mean.data(), mean, 'mean');
      expectClose(await running.variance.data(), variance, 'variance');
    });

    it(`stays as it is outside training (${nameOf(device)})`, async () => {
      const running = fresh(2);
      batchNorm(
        gmr.tensor(
          [
            [1, 2],
            [3, 4],
          ],
          undefined,
          { device },
        ),
        null,
        null,
        running,
        { training: false },
      );
      expect([...(await running.mean.data())]).to.deep.equal([0, 0]);
      expect([...(await running.variance.data())]).to.deep.equal([1, 1]);
    });

    it(`gives gradients of the statistics that the forward pass used (${nameOf(device)})`, async () => {
      const running = fresh(1);
      const x = gmr.tensor([[1], [3]], undefined, { device, requiresGrad: true });
      const y = batchNorm(x, null, null, running, { training: false, eps: 0 });
      batchNorm(x.detach(), null, null, running, { training: true });
      y.backward(gmr.tensor([[1], [2]], undefined, { device }));
      expect([...(await x.grad!.data())]).to.deep.equal([1, 2]);
    });

    it(`keeps its digits where the mean is large (${nameOf(device)})`, async () => {
      const running = fresh(1);
      const x = normal([1000, 1], uniform(8));
      const values = Float32Array.from(x.data, (value) => 4096 + value);
      values[0] = 0; // an outlier where the sums start
      const { variance, count } = channelStatistics({ shape: [1000, 1], data: Float64Array.from(values) });
      batchNorm(gmr.tensor(values, [1000, 1], { device }), null, null, running, { training: true, momentum: 1 });
      expectClose(await running.variance.data(), [(variance[0]! * count) / (count - 1)], 'variance', 1e-6);
    });
  }
});

describe('batch_norm: gradients', () => {
  // Each gradient alone: passes for those that nobody needs are left out.
  for (const training of [true, false]) {
    for (const relu of [true, false]) {
      it(`does not depend on which others are wanted: training ${training}, relu ${relu}`, async () => {
        const random = uniform(17);
        const shapes = { x: [3, 5, 7], weight: [5], bias: [5], residual: [3, 5, 7] };
        type Name = keyof typeof shapes;
        const names = Object.keys(shapes) as Name[];
        const values = Object.fromEntries(
          names.map((name) => [name, Float32Array.from(normal(shapes[name], random).data)]),
        ) as Record<Name, Float32Array>;
        const upstream = gmr.tensor(Float32Array.from(normal(shapes.x, random).data), shapes.x);
        const gradientsOf = async (wanted: readonly Name[]): Promise<(number[] | undefined)[]> => {
          const inputs = Object.fromEntries(
            names.map((name) => [
              name,
              gmr.tensor(values[name], shapes[name], { requiresGrad: wanted.includes(name) }),
            ]),
          ) as Record<Name, gmr.Tensor>;
          const running = { mean: gmr.tensor(new Float32Array(5)), variance: gmr.tensor(new Float32Array(5).fill(1)) };
          const { x, weight, bias, residual } = inputs;
          batchNorm(x, weight, bias, running, { training, relu, residual }).backward(upstream);
          return Promise.all(
            names.map(async (name) => (inputs[name].grad === null ? undefined : [...(await inputs[name].grad.data())])),
          );
        };
        const all = await gradientsOf(names);
        for (const [i, name] of names.entries()) {
          const alone = await gradientsOf([name]);
          expect(alone[i], name).to.deep.equal(all[i]);
          expect(alone.filter((gradient) => gradient !== undefined)).to.have.length(1);
        }
      });
    }
  }
});

describe('batch_norm: some gradients alone', () => {
  for (const device of devices) {
    it(`of the residual (${nameOf(device)})`, async () => {
      const x = gmr.tensor([[1], [3]], undefined, { device });
      const residual = gmr.tensor([[2], [-2]], undefined, { device, requiresGrad: true });
      // Normalised to -1 and 1: sums of 1 and -1, of which relu passes the first.
      const y = batchNorm(x, null, null, null, { training: true, eps: 0, relu: true, residual });
      y.backward(gmr.tensor([[5], [7]], undefined, { device }));
      expect([...(await residual.grad!.data())]).to.deep.equal([5, 0]);
    });
  }
});

describe('batch_norm: special values', () => {
  for (const device of devices) {
    it(`passes NaN and infinities, one channel at a time (${nameOf(device)})`, async () => {
      const x = gmr.tensor(
        [
          [NaN, Infinity, 1],
          [1, 1, 1],
          [2, 2, 1],
        ],
        undefined,
        { device },
      );
      const y = [...(await batchNorm(x, null, null, null, { training: true, relu: true }).data())];
      expect(y.filter((_, i) => i % 3 < 2)).to.deep.equal([NaN, NaN, NaN, NaN, NaN, NaN]);
      expect(y.filter((_, i) => i % 3 === 2)).to.deep.equal([0, 0, 0]);
      const running = {
        mean: gmr.tensor([0, 0, 0], [3], { device }),
        variance: gmr.tensor([1, 1, 1], [3], { device }),
      };
      const inferred = await batchNorm(x, null, null, running, { training: false, eps: 0 }).data();
      expect([...inferred]).to.deep.equal([NaN, Infinity, 1, 1, 1, 1, 2, 2, 1]);
    });
  }
});

describe('batch_norm: bad input', () => {
  const x = gmr.tensor([
    [1, 2],
    [3, 4],
  ]);
  const two = gmr.tensor([1, 1]);
  const three = gmr.tensor([1, 1, 1]);
  const training = { training: true };

  it('names the argument that is wrong', () => {
    expectFailure(
      () => batchNorm(two, null, null, null, training),
      'invalid_shape',
      '[batch_norm] expected x to have 2 to 5 axes, received [2]',
    );
    expectFailure(
      () => batchNorm(x, three, null, null, training),
      'invalid_shape',
      '[batch_norm] expected weight to have shape [2], received [3]',
    );
    expectFailure(
      () => batchNorm(x, two, three, null, training),
      'invalid_shape',
      '[batch_norm] expected bias to have shape [2], received [3]',
    );
    expectFailure(
      () => batchNorm(x, two, two, { mean: three, variance: two }, training),
      'invalid_shape',
      '[batch_norm] expected running.mean to have shape [2], received [3]',
    );
    expectFailure(
      () => batchNorm(x, two, two, { mean: two, variance: null as never }, training),
      'invalid_argument',
      '[batch_norm] expected running.variance to be a Tensor, received null',
    );
    expectFailure(
      () => batchNorm(x, two, two, null, { training: true, residual: two }),
      'invalid_shape',
      '[batch_norm] expected residual to have shape [2, 2], received [2]',
    );
    expectFailure(
      () => batchNorm(x, two, two, null, { training: true, momentum: 2 }),
      'invalid_argument',
      '[batch_norm] expected momentum to be a finite number in [0, 1], received 2',
    );
    expectFailure(
      () => batchNorm(x, two, two, null, { training: true, eps: -1 }),
      'invalid_argument',
      '[batch_norm] expected eps to be a finite number >= 0, received -1',
    );
    expectFailure(
      () => batchNorm(x, two, two, null, { training: true, relu: 1 as never }),
      'invalid_argument',
      '[batch_norm] expected relu to be a boolean, received 1',
    );
    expectFailure(
      () => batchNorm(x, two, two, null, {} as never),
      'invalid_argument',
      '[batch_norm] expected training to be a boolean, received undefined',
    );
    expectFailure(
      () => batchNorm(x, two, two, null, { training: false }),
      'invalid_argument',
      '[batch_norm] expected running to be given outside training, received null',
    );
  });

  it('refuses to train on fewer than two values a channel', () => {
    for (const shape of [
      [1, 2],
      [0, 2],
      [2, 2, 0],
      [1, 2, 1, 1],
    ]) {
      const few = gmr.tensor(new Float32Array(shape.reduce((count, extent) => count * extent, 1)), shape);
      expectFailure(
        () => batchNorm(few, two, two, null, training),
        'invalid_shape',
        `[batch_norm] expected x to have more than one value per channel in training, received [${shape.join(', ')}]`,
      );
    }
  });
});
