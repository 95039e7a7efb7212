import { expectInteger, expectNumber, expectOptions } from '../errors.js';

export interface CosineOptions {
  /** Value at step 0. */
  from: number;
  /** Value at step `steps` and after it. Default 0. */
  to?: number;
  /** Length of the half wave, >= 1, in whatever `step` counts. */
  steps: number;
}

/**
 * Cosine annealing: `to + (from - to) (1 + cos(pi step / steps)) / 2`. Source: Loshchilov, Hutter, arXiv 1608.03983, without restarts.
 * @param step >= 0: epochs, batches, or epochs with a fraction.
 */
export function cosine(step: number, options: CosineOptions): number {
  expectOptions('cosine', options, { from: true, to: true, steps: true });
  const { from, to = 0, steps } = options;
  expectNumber('cosine', 'step', step, 0);
  expectNumber('cosine', 'from', from);
  expectNumber('cosine', 'to', to);
  expectInteger('cosine', 'steps', steps, 1);
  return to + ((from - to) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps))) / 2;
}
