// The demo's network trained on the interpreter of CUDA kernels: forward pass, gradients and update, step upon step.
import { expect } from 'chai';
import { gmrNetwork } from '../../examples/mnist/networks.js';
import { quickSettings } from '../../examples/mnist/settings.js';
import { makeOptimizer, queueStep } from '../../examples/mnist/train.js';
import type * as gmr from '../../lib/index.js';
import { cpuDevices, cudaSim } from '../support/devices.js';
import { uniform } from '../support/ndarray.js';

const batch = 2;
const steps = 3;

async function lossesOn(device: gmr.Device): Promise<number[]> {
  const network = gmrNetwork(quickSettings.seed, device);
  const optimizer = makeOptimizer(network, quickSettings);
  const random = uniform(9);
  const images = {
    count: batch,
    height: 28,
    width: 28,
    pixels: Uint8Array.from({ length: batch * 28 * 28 }, () => Math.floor(random() * 256)),
    labels: Uint8Array.of(3, 8),
  };
  const positions = Int32Array.of(0, 1);
  network.model.train();
  const queued = Array.from({ length: steps }, () =>
    queueStep(network, optimizer, images, positions, quickSettings.labelSmoothing, device),
  );
  const losses = await Promise.all(queued);
  network.model.dispose();
  optimizer.dispose();
  return losses;
}

describe('CUDA: training', () => {
  it(`${steps} steps of the quick demo's network have the processor's losses`, async function () {
    if (cudaSim === undefined) return this.skip();
    const [expected, received] = [await lossesOn(cpuDevices[0]!), await lossesOn(cudaSim)];
    // Each step moves the loss by far more than what it is compared with.
    for (let step = 1; step < steps; ++step) {
      expect(Math.abs(expected[step]! / expected[step - 1]! - 1)).to.be.greaterThan(0.01);
    }
    for (const [step, loss] of received.entries()) {
      expect(loss / expected[step]! - 1, `loss of step ${step}`).to.be.within(-1e-4, 1e-4);
    }
  });
});
