import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { cpuDevices, nameOf } from '../support/devices.js';
import { normal, uniform } from '../support/ndarray.js';

const denormal = 1e-41; // the least float32 of full precision is 1.2e-38

function drawn(device: gmr.Device, shape: readonly number[], scale: number): gmr.Tensor {
  const { data } = normal(shape, uniform(1));
  return gmr.tensor(
    Float32Array.from(data, (value) => value * scale),
    shape,
    { device },
  );
}

describe('denormals', () => {
  for (const device of cpuDevices) {
    it(`count as zero on every thread (${nameOf(device)})`, async () => {
      const x = drawn(device, [4, 3, 32, 32], denormal);
      const v = drawn(device, [5, 3, 3], 1);
      const ring = { kernelSize: [5, 5], padding: 2 };
      expect((await gmr.ops.ringConv(x, v, ring).data()).every((value) => value === 0)).to.equal(true);
      const many = gmr.tensor(new Float32Array(1 << 18).fill(-denormal), undefined, { device });
      expect((await gmr.ops.add(many, many).data()).every((value) => value === 0)).to.equal(true);
    });
  }

  it('are left alone where nothing is computed', async () => {
    const x = gmr.tensor([denormal, -denormal], undefined, { device: cpuDevices[0]! });
    expect([...(await x.data())]).to.deep.equal([Math.fround(denormal), -Math.fround(denormal)]);
  });
});
