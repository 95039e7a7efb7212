// Tensors of more elements than 32 bits count, and what is refused because kernels count in 32 bits there.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { empty } from '../../lib/tensor.js';
import { runChild } from '../support/child.js';
import { cudaSim, devices, nameOf } from '../support/devices.js';
import { expectFailure } from '../support/failure.js';

const controlUrl = new URL('../support/cuda_sim.js', import.meta.url).href;

/**
 * The lines that `body` prints, where `sampled(fn, blocks = 1)` runs so many blocks of each launch that `fn` queues. What the others would write
 * stays zero and takes no memory.
 */
async function runSampled(body: string): Promise<string[]> {
  const { code, stdout, stderr } = await runChild(
    `
    const { cudaSimControl } = await import(${JSON.stringify(controlUrl)});
    const device = gmr.Device.open('cuda_sim');
    const one = gmr.tensor([1], undefined, { device });
    const sampled = async (fn, blocks = 1) => {
      await one.data();
      cudaSimControl().sampleBlocks(blocks);
      const y = fn();
      await one.data();
      cudaSimControl().sampleBlocks(0);
      return y;
    };
    ${body}`,
    { GMR_CUDA_SIM_CHECKS: '0', GMR_CUDA_SIM_MEMORY: String(2 ** 35) },
    60_000,
  );
  expect(code, stderr).to.equal(0);
  return stdout.trimEnd().split('\n');
}

describe('large tensors on a GPU', function () {
  before(function () {
    if (cudaSim === undefined) this.skip();
  });

  // A block writes a row.
  it('of more than 2^31 elements are read and written where they are', async () => {
    const row = 1280;
    const blocks = 4096;
    const rows = Math.ceil((2 ** 31 + 2 ** 28) / row);
    const [counts] = await runSampled(`
      const values = Float32Array.from({ length: ${rows} }, (_, n) => 1 + (n % 251));
      const x = gmr.tensor(values, [${rows}, 1, 1], { device, dtype: 'bfloat16' });
      const large = await sampled(() => gmr.ops.pad(x, [[0, ${row - 1}]], 'replicate'), ${blocks});
      const read = await gmr.ops.avgPool(large, 1, { stride: ${row} }).data();
      const written = [...read.keys()].filter((n) => read[n] !== 0);
      const beyond = written.filter((n) => n * ${row} > 2 ** 31);
      const wrong = written.filter((n) => read[n] !== values[n]);
      console.log(written.length, beyond.length, wrong.length);`);
    const [written, beyond, wrong] = counts!.split(' ').map(Number);
    expect(written).to.be.equal(blocks);
    expect(beyond).to.be.closeTo((1 - 2 ** 31 / row / rows) * blocks, 1);
    expect(wrong).to.equal(0);
  });

  it('have axes of fewer than 2^30 positions in convolutions', async () => {
    const [refusal] = await runSampled(`
      const x = await sampled(() => gmr.ops.pad(gmr.tensor([[[1]]], undefined, { device }), [[0, 2 ** 30 - 1]], 'zeros'));
      const w = gmr.tensor([[[1, 2, 3]]], undefined, { device });
      await gmr.ops.conv(x, w).data().catch(({ code, message }) => console.log(code, message));`);
    expect(refusal).to.equal(
      'invalid_argument [conv] expected axes of fewer than 2^30 positions, with padding and kernel, received 1073741825',
    );
  });
});

describe('planes of 2^31 elements', () => {
  for (const device of devices) {
    it(`${nameOf(device)}: are refused by max_pool and rotate`, () => {
      using plane = empty([1, 1, 2 ** 16, 2 ** 15], device, 'bfloat16');
      const received = 'received [1, 1, 65536, 32768]';
      expectFailure(
        () => gmr.ops.maxPool(plane, 2),
        'invalid_shape',
        `[max_pool] expected x to have fewer than 2^31 elements a plane, ${received}`,
      );
      expectFailure(
        () => gmr.ops.rotate(plane, 30),
        'invalid_shape',
        `[rotate] expected x to have fewer than 2^31 - 1 elements a turned plane, ${received}`,
      );
    });
  }
});
