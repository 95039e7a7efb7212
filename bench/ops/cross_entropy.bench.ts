import * as gmr from '../../lib/index.js';
import { bytesOf, product, type BenchCase, type BenchSuite } from '../support/cases.js';

function batchOf(batch: number, classes: number): BenchCase {
  const logits = [batch, classes];
  return {
    name: `${batch}x${classes}`,
    bound: 'memory',
    // Maximum, difference, exponential, sum; the logits are read for the maximum and for the sum, once if they stay in cache.
    forward: { flops: 4 * product(logits), bytes: bytesOf(logits, [batch]) },
    train: { flops: 7 * product(logits), bytes: bytesOf(logits, [batch]) + bytesOf(logits, logits, [batch]) },
    setup: (make) => {
      const x = make.leaf(logits);
      const targets = make.integers([batch], classes);
      return () => gmr.ops.crossEntropy(x, targets, {});
    },
  };
}

export const suite: BenchSuite = { op: 'cross_entropy', cases: [batchOf(128, 10), batchOf(8192, 1000)] };
