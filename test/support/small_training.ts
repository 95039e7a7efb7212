// A training loop as users write it, small enough for an interpreted GPU: for tests of what surrounds it.
import * as gmr from '../../lib/index.js';

const batch = 4;
const side = 6;
const { nn, ops, optim } = gmr;

export class SmallTraining {
  readonly model: gmr.nn.Module;
  private readonly optimizer: gmr.optim.SGD;
  private readonly images: Float32Array;
  private readonly labels = Int32Array.from({ length: batch }, (_, n) => n % 2);

  constructor(readonly device: gmr.Device) {
    const generator = new gmr.Generator(1);
    this.model = new nn.Sequential(
      new nn.GMRConv2d(1, 3, 5, { padding: 'same', bias: false, generator, device }),
      new nn.BatchNorm2d(3, { device }),
      new nn.ReLU(),
      new nn.AvgPool2d(2),
      new nn.Conv2d(3, 4, 3, { padding: 'same', generator, device }),
      new nn.GlobalAvgPool(),
      new nn.Linear(4, 2, { generator, device }),
    );
    this.optimizer = new optim.SGD(this.model, { lr: 0.1, momentum: 0.9 });
    this.images = generator.uniformArray(batch * side * side, -1, 1);
  }

  /** Queues a step; the loss comes once the device has got there. */
  step(): Promise<number> {
    const { device } = this;
    return gmr.scope(() => {
      const x = gmr.tensor(this.images, [batch, 1, side, side], { device });
      const loss = ops.crossEntropy(this.model.forward(x), gmr.tensor(this.labels, undefined, { device }));
      loss.backward();
      this.optimizer.step();
      this.optimizer.zeroGrad();
      return [loss.item()];
    })[0]!;
  }

  /** Losses of some steps, queued together, when all have ended; fails with the first error. */
  async run(steps: number): Promise<number[]> {
    const losses = Array.from({ length: steps }, async () => this.step());
    await Promise.allSettled(losses);
    return Promise.all(losses);
  }

  dispose(): void {
    this.optimizer.zeroGrad();
    this.optimizer.dispose();
    this.model.dispose();
  }
}
