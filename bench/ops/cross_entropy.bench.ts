import { crossEntropySuite } from '../../test/support/reference/cross_entropy.js';
import { type BenchCase, benchSuite, bytesOf, type OptionsOf, product } from '../support/cases.js';

function batchOf(batch: number, classes: number): BenchCase<OptionsOf<typeof crossEntropySuite>> {
  const logits = [batch, classes];
  return {
    name: `${batch}x${classes}`,
    bound: 'memory',
    // Maximum, difference, exponential, sum; the logits are read for the maximum and for the sum, once if they stay in cache.
    forward: { flops: 4 * product(logits), bytes: bytesOf(logits, [batch]) },
    train: { flops: 7 * product(logits), bytes: bytesOf(logits, [batch]) + bytesOf(logits, logits, [batch]) },
    inputs: { logits, targets: [batch] },
    options: { classes },
  };
}

export const suite = benchSuite(crossEntropySuite, [batchOf(128, 10), batchOf(8192, 1000)]);
