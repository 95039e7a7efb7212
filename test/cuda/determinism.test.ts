// CUDA kernels give the same bits whatever the order in which blocks and warps run.
import { expect } from 'chai';
import { createHash } from 'node:crypto';
import * as gmr from '../../lib/index.js';
import { underSchedules } from '../support/cuda_sim.js';
import { cudaSim } from '../support/devices.js';
import { normal, uniform } from '../support/ndarray.js';

/** A training step whose sums are cut: weight gradients over tiles, batch norm and biases over pieces. */
async function hashOfStep(device: gmr.Device): Promise<string> {
  const random = uniform(4);
  const make = (shape: number[]): gmr.Tensor =>
    gmr.tensor(Float32Array.from(normal(shape, random).data), shape, { device, requiresGrad: true });
  const leaves = {
    x: make([3, 2, 41, 37]),
    weight: make([5, 2, 3]),
    logSigmas: make([3]),
    bias: make([5]),
    gamma: make([5]),
    beta: make([5]),
    w: make([4, 5, 3, 3]),
  };
  const { x, weight, logSigmas, bias, gamma, beta, w } = leaves;
  const v = gmr.ops.ringWeight(weight, logSigmas);
  const h = gmr.ops.ringConv(x, v, { kernelSize: [5, 5], padding: 2, bias });
  const n = gmr.ops.batchNorm(h, gamma, beta, null, { training: true, relu: true });
  const p = gmr.ops.globalAvgPool(gmr.ops.maxPool(gmr.ops.conv(n, w, { stride: 2 }), 3, { stride: 2 }));
  const loss = gmr.ops.crossEntropy(p.reshape(3, 4), gmr.tensor(Int32Array.of(0, 1, 2), undefined, { device }));
  loss.backward();
  const hash = createHash('sha256');
  for (const tensor of [loss, ...Object.values(leaves).map((leaf) => leaf.grad!)]) {
    const data = await tensor.data();
    expect(data.some(Number.isNaN)).to.equal(false);
    hash.update(data);
  }
  return hash.digest('hex');
}

/** A step through layers that are wide enough for ring sums in registers: columns of bfloat16, strips of float32. */
async function hashOfWideStep(device: gmr.Device, activations: gmr.DType): Promise<string> {
  const random = uniform(5);
  const make = (shape: number[], dtype: gmr.DType): gmr.Tensor =>
    gmr.tensor(Float32Array.from(normal(shape, random).data), shape, { device, requiresGrad: true, dtype });
  const leaves = {
    x: make([3, 17, 9, 14], activations),
    v: make([18, 17, 3], 'float32'),
    w: make([20, 18, 3, 3], 'float32'),
    gamma: make([20], 'float32'),
    beta: make([20], 'float32'),
  };
  const { x, v, w, gamma, beta } = leaves;
  const h = gmr.ops.conv(gmr.ops.ringConv(x, v, { kernelSize: [5, 5], padding: 2 }), w);
  const n = gmr.ops.batchNorm(h, gamma, beta, null, { training: true, relu: true });
  const logits = gmr.ops.globalAvgPool(n).reshape(3, 20);
  const loss = gmr.ops.crossEntropy(logits, gmr.tensor(Int32Array.of(0, 1, 2), undefined, { device }));
  loss.backward();
  const hash = createHash('sha256');
  for (const tensor of [loss, ...Object.values(leaves).map((leaf) => leaf.grad!)]) hash.update(await tensor.data());
  return hash.digest('hex');
}

describe('CUDA determinism', function () {
  before(function () {
    if (cudaSim === undefined) this.skip();
  });
  afterEach(() => {
    gmr.setFloat32MatmulPrecision('highest');
  });

  for (const precision of ['highest', 'high'] as const) {
    it(`gives the same bits for any schedule, at precision ${precision}`, async () => {
      gmr.setFloat32MatmulPrecision(precision);
      const hashes = await underSchedules(() => hashOfStep(cudaSim!));
      expect(new Set(hashes).size).to.equal(1);
    });
  }

  for (const dtype of ['float32', 'bfloat16'] as const) {
    it(`gives the same bits for any schedule, in wide layers of ${dtype}`, async () => {
      const hashes = await underSchedules(() => hashOfWideStep(cudaSim!, dtype));
      expect(new Set(hashes).size).to.equal(1);
    });
  }
});
