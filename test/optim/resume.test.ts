// Training that goes on from files, as README shows it, gives the bits of training that was not interrupted.
import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';

const { io, nn, ops, optim } = gmr;

/** A network with state of every kind, its optimiser, and the generator that its batches come from. */
class Run {
  readonly model: gmr.nn.Module;
  readonly optimizer: gmr.optim.SGD;
  readonly generator: gmr.Generator;

  constructor(
    private readonly device: gmr.Device,
    seed: number,
  ) {
    const generator = new gmr.Generator(seed);
    this.generator = generator;
    this.model = new nn.Sequential(
      new nn.GMRConv2d(1, 3, 3, { bias: false, generator, device }),
      new nn.BatchNorm2d(3, { device, momentum: null }), // a mean over all batches: the count matters
      new nn.ReLU(),
      new nn.GlobalAvgPool(),
      new nn.Linear(3, 2, { generator, device }),
    );
    this.optimizer = new optim.SGD(this.model, { lr: 0.2, momentum: 0.9, nesterov: true, weightDecay: 1e-3 });
  }

  async steps(count: number): Promise<number[]> {
    const losses: number[] = [];
    for (let i = 0; i < count; ++i) {
      const { device, generator, optimizer } = this;
      const loss = gmr.scope(() => {
        const x = gmr.tensor(generator.normalArray(4 * 36), [4, 1, 6, 6], { device });
        const targets = gmr.tensor(Int32Array.of(0, 1, 1, 0), undefined, { device });
        const mean = ops.crossEntropy(this.model.forward(x), targets);
        mean.backward();
        optimizer.step();
        optimizer.zeroGrad();
        return [mean.item()];
      })[0]!;
      losses.push(await loss);
      optimizer.groups[0]!.lr *= 0.9;
    }
    return losses;
  }

  async save(folder: string): Promise<void> {
    const { settings, velocity } = this.optimizer.stateDict();
    const generator = JSON.stringify(this.generator.getState());
    await io.writeSafetensors(join(folder, 'model.safetensors'), this.model.stateDict());
    await io.writeSafetensors(join(folder, 'optimizer.safetensors'), velocity, {
      settings: JSON.stringify(settings),
      generator,
    });
  }

  async load(folder: string): Promise<void> {
    this.model.loadStateDict((await io.readSafetensors(join(folder, 'model.safetensors'))).tensors);
    const { tensors, metadata } = await io.readSafetensors(join(folder, 'optimizer.safetensors'));
    this.optimizer.loadStateDict({ settings: JSON.parse(metadata['settings']!), velocity: tensors });
    this.generator.setState(JSON.parse(metadata['generator']!) as number[]);
  }

  async state(): Promise<unknown> {
    const entries = Object.entries(this.model.stateDict());
    return Promise.all(entries.map(async ([name, e]) => [name, e instanceof gmr.Tensor ? await e.data() : e.data]));
  }

  dispose(): void {
    this.model.dispose();
    this.optimizer.dispose();
  }
}

describe('resumed training', () => {
  for (const device of devices) {
    it(`gives the bits of training that went on (${nameOf(device)})`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
      const [whole, first, second] = [new Run(device, 1), new Run(device, 1), new Run(device, 2)];
      try {
        const losses = await whole.steps(6);
        const begun = await first.steps(3);
        await first.save(folder);
        await second.load(folder);
        expect([...begun, ...(await second.steps(3))]).to.deep.equal(losses);
        expect(await second.state()).to.deep.equal(await whole.state());
      } finally {
        for (const run of [whole, first, second]) run.dispose();
        rmSync(folder, { recursive: true });
      }
    });
  }
});
