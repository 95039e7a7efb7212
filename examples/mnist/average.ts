// Stochastic weight averaging (Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization",
// arXiv 1803.05407): the mean of the weights over the last steps does better than the last weights on what was not trained, here
// angles between the right ones, and depends less on chance.
import * as gmr from '../../lib/index.js';

/** Weights move little from step to step: one in so many is enough. */
export const stepsBetweenSamples = 10;

export class WeightAverage {
  private readonly means = new Map<string, Float64Array>();
  private samples = 0;

  /** Takes the weights as they are after what has been queued. Calls are to be awaited in order. */
  async add(model: gmr.nn.Module): Promise<void> {
    const reads = [...model.namedParameters()].map(
      async ([name, parameter]) => [name, await parameter.data()] as const,
    );
    const weights = await Promise.all(reads);
    this.samples += 1;
    for (const [name, values] of weights) {
      const mean = this.means.get(name) ?? new Float64Array(values.length);
      values.forEach((value, i) => (mean[i]! += (value - mean[i]!) / this.samples));
      this.means.set(name, mean);
    }
  }

  /** Gives the means to the model. Its batch normalisations still hold the statistics of other weights. */
  load(model: gmr.nn.Module): void {
    if (this.samples === 0) return;
    const entries = [...model.namedParameters()].map(
      ([name, { shape }]) => [name, { dtype: 'F32', shape, data: Float32Array.from(this.means.get(name)!) }] as const,
    );
    model.loadStateDict(Object.fromEntries(entries), { strict: false });
  }
}
