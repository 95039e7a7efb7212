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

/** The least time of a few calls: what else runs on the machine only adds. */
async function milliseconds(call: () => gmr.Tensor): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < 9; ++round) {
    const start = performance.now();
    const y = call();
    await y.data();
    least = Math.min(least, performance.now() - start);
    y.dispose();
  }
  return least;
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

    it(`do not slow a layer (${nameOf(device)})`, async () => {
      const w = drawn(device, [16, 16, 3, 3], 1);
      const [plain, tiny] = [drawn(device, [4, 16, 32, 32], 1), drawn(device, [4, 16, 32, 32], denormal)];
      const conv = (x: gmr.Tensor): Promise<number> => milliseconds(() => gmr.ops.conv(x, w, { padding: 1 }));
      // Twice is what is promised; here is room for a busy machine. Computed with, they take 75 times as long.
      expect((await conv(tiny)) / (await conv(plain))).to.be.lessThan(6);
    });
  }

  it('are left alone where nothing is computed', async () => {
    const x = gmr.tensor([denormal, -denormal], undefined, { device: cpuDevices[0]! });
    expect([...(await x.data())]).to.deep.equal([Math.fround(denormal), -Math.fround(denormal)]);
  });
});
