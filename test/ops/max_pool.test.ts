import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { describeOp } from '../support/op_suite.js';
import { maxPoolSuite } from '../support/reference/max_pool.js';
import { expectFailure } from '../support/failure.js';

describeOp(maxPoolSuite);

/** The gradient of the sum of the maxima. */
async function gradient(
  device: gmr.Device,
  values: number[],
  shape: number[],
  kernelSize: number,
  options: gmr.ops.MaxPoolOptions = {},
): Promise<number[]> {
  const x = gmr.tensor(Float32Array.from(values), shape, { device, requiresGrad: true });
  const y = gmr.ops.maxPool(x, kernelSize, options);
  y.backward(gmr.tensor(new Float32Array(y.size).fill(1), y.shape, { device }));
  return [...(await x.grad!.data())];
}

describe('max_pool: special values', () => {
  for (const device of devices) {
    it(`gives ties to the first (${nameOf(device)})`, async () => {
      expect(await gradient(device, [3, 3, 3, 3], [1, 1, 2, 2], 2)).to.deep.equal([1, 0, 0, 0]);
      expect(await gradient(device, [1, 2, 2, 2], [1, 1, 2, 2], 2)).to.deep.equal([0, 1, 0, 0]);
      expect(await gradient(device, [2, 2, 2], [1, 1, 3], 3)).to.deep.equal([1, 0, 0]);
      expect(await gradient(device, [1, 5, 5, 1], [1, 1, 4], 3, { stride: 1 })).to.deep.equal([0, 2, 0, 0]);
    });

    it(`lets NaN win and -infinity take the gradient where there is nothing else (${nameOf(device)})`, async () => {
      const x = gmr.tensor([[[1, NaN, NaN, 2, -Infinity, -Infinity]]], undefined, { device });
      expect([...(await gmr.ops.maxPool(x, 2).data())]).to.deep.equal([NaN, NaN, -Infinity]);
      expect([...(await gmr.ops.maxPool(x, 3).data())]).to.deep.equal([NaN, 2]);
      const values = [1, NaN, 7, 8, -Infinity, -Infinity];
      expect(await gradient(device, values, [1, 1, 6], 2)).to.deep.equal([0, 1, 0, 1, 1, 0]);
      expect(await gradient(device, [-Infinity, -Infinity, -Infinity], [1, 1, 3], 3)).to.deep.equal([1, 0, 0]);
      expect(await gradient(device, [NaN, 1, 2, 3], [1, 1, 2, 2], 2)).to.deep.equal([1, 0, 0, 0]);
    });

    it(`gives -infinity and no gradient where a dilated window holds padding alone (${nameOf(device)})`, async () => {
      const x = gmr.tensor([[[1, 2, 3]]], undefined, { device });
      const options = { padding: 1, dilation: 4 };
      expect([...(await gmr.ops.maxPool(x, 2, options).data())]).to.deep.equal([-Infinity]);
      expect(await gradient(device, [1, 2, 3], [1, 1, 3], 2, options)).to.deep.equal([0, 0, 0]);
    });

    it(`has the same values with and without a gradient (${nameOf(device)})`, async () => {
      const values = Float32Array.from({ length: 2 * 9 * 10 }, (_, i) => Math.sin(i * i));
      for (const options of [{}, { stride: 1 }, { stride: 2, padding: 1 }, { stride: 3 }]) {
        const plain = gmr.ops.maxPool(gmr.tensor(values, [1, 2, 9, 10], { device }), 2, options);
        const taped = gmr.ops.maxPool(gmr.tensor(values, [1, 2, 9, 10], { device, requiresGrad: true }), 2, options);
        expect(await plain.data()).to.deep.equal(await taped.data());
      }
    });
  }
});

describe('max_pool: bad input', () => {
  const x = gmr.tensor(new Float32Array(24), [1, 2, 3, 4]);

  it('names the argument', () => {
    expectFailure(() => gmr.ops.maxPool(1 as never, 2), 'invalid_argument', '[max_pool] expected x to be a Tensor');
    expectFailure(() => gmr.ops.maxPool(gmr.tensor([[1]]), 2), 'invalid_shape', 'expected x to have 3 to 5 axes');
    expectFailure(
      () => gmr.ops.maxPool(x, 1.5),
      'invalid_argument',
      'expected kernelSize to be an integer >= 1, received 1.5',
    );
    expectFailure(
      () => gmr.ops.maxPool(x, 2, { stride: 0 }),
      'invalid_argument',
      'expected stride to be an integer >= 1, received 0',
    );
    expectFailure(
      () => gmr.ops.maxPool(x, 2, { dilation: 0 }),
      'invalid_argument',
      'expected dilation to be an integer >= 1, received 0',
    );
    expectFailure(
      () => gmr.ops.maxPool(x, 2, { padding: 2 }),
      'invalid_argument',
      'expected padding to be at most half of kernelSize',
    );
    const message = '[max_pool] expected x to be at least 4 long on spatial axis 0, padding included, received 3';
    expectFailure(() => gmr.ops.maxPool(x, 2, { dilation: 3 }), 'invalid_shape', message);
  });
});
