// setFloat32MatmulPrecision('high') over the case tables of the ops that it changes, and what else it promises.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { cudaSim, devices, nameOf } from '../support/devices.js';
import { expectFailure } from '../support/failure.js';
import { normal, uniform } from '../support/ndarray.js';
import { describeOp, type OpSuite } from '../support/op_suite.js';
import { convSuite } from '../support/reference/conv.js';
import { ringConvSuite } from '../support/reference/ring_conv.js';

function at<T>(precision: gmr.Float32MatmulPrecision, call: () => T): T {
  gmr.setFloat32MatmulPrecision(precision);
  try {
    return call();
  } finally {
    gmr.setFloat32MatmulPrecision('highest');
  }
}

// The tolerance is that of `highest`, 1e-5. Two TF32 numbers hold an operand up to 2^-22 of it, and the product that is left out is
// at most 2^-22 of the whole: a product is off by less than 2^-20, one in 1e6. A single TF32 number would be off by up to 2^-11.
const gpus = devices.filter(({ kind }) => kind !== 'cpu');
function describeAtHigh<Options>(suite: OpSuite<Options>): void {
  const run: typeof suite.run = (inputs, options) => at('high', () => suite.run(inputs, options));
  describeOp({ ...suite, run }, `${suite.op} at precision high`, gpus);
}
describeAtHigh(convSuite);
describeAtHigh(ringConvSuite);

/** A layer's output and gradients. */
async function bitsOf(
  device: gmr.Device,
  forward: gmr.Float32MatmulPrecision,
  backward: gmr.Float32MatmulPrecision,
): Promise<number[]> {
  const random = uniform(5);
  const leaf = (...shape: number[]): gmr.Tensor =>
    gmr.tensor(Float32Array.from(normal(shape, random).data), shape, { device, requiresGrad: true });
  const [x, v] = [leaf(2, 6, 7, 7), leaf(8, 6, 3)];
  const y = at(forward, () => gmr.ops.ringConv(x, v, { kernelSize: [5, 5], padding: 2 }));
  at(backward, () => y.backward(leaf(...y.shape)));
  const read = await Promise.all([y, x.grad!, v.grad!].map((tensor) => tensor.data()));
  return read.flatMap((data) => [...data]);
}

describe('setFloat32MatmulPrecision', () => {
  it('is highest until it is set, and refuses what is no precision', () => {
    expect(gmr.getFloat32MatmulPrecision()).to.equal('highest');
    expect(at('high', gmr.getFloat32MatmulPrecision)).to.equal('high');
    expectFailure(
      () => gmr.setFloat32MatmulPrecision('medium' as never),
      'invalid_argument',
      '[setFloat32MatmulPrecision] expected precision to be one of highest, high, received "medium"',
    );
    expect(gmr.getFloat32MatmulPrecision()).to.equal('highest');
  });

  for (const device of devices) {
    it(`holds at the call, for its gradients too (${nameOf(device)})`, async () => {
      const high = await bitsOf(device, 'high', 'high');
      expect(await bitsOf(device, 'high', 'highest')).to.deep.equal(high);
      const highest = await bitsOf(device, 'highest', 'highest');
      expect(await bitsOf(device, 'highest', 'high')).to.deep.equal(highest);
      // Where there is no faster way nothing changes. Of a real GPU that is not known here.
      if (device.kind === 'cpu' || device.level === 'sm_75') expect(high).to.deep.equal(highest);
      if (device === cudaSim && device.level === 'sm_80') expect(high).not.to.deep.equal(highest);
    });
  }

  it('lets what is not finite come out as what is not finite', async function () {
    if (cudaSim === undefined) this.skip();
    for (const value of [Infinity, -Infinity, NaN]) {
      using x = gmr.tensor(new Float32Array(8).fill(value, 3, 4), [1, 8, 1], { device: cudaSim });
      using w = gmr.tensor(new Float32Array(48).fill(2), [6, 8, 1], { device: cudaSim });
      const y = await at('high', () => gmr.ops.conv(x, w)).data();
      expect([...y].filter(Number.isFinite)).to.deep.equal([]);
    }
  });
});
