import * as gmr from '../../lib/index.js';
import { bytesOf, extentsName, type BenchCase, type BenchSuite } from '../support/cases.js';
import { ringCount } from '../support/ring_work.js';

function kernelOf(channels: number, kernel: readonly number[]): BenchCase {
  const v = [channels, channels, ringCount(kernel[0]!)];
  const dense = [channels, channels, ...kernel];
  return {
    name: `${channels}>${channels} k=${extentsName(kernel)}`,
    bound: 'memory',
    forward: { flops: 0, bytes: bytesOf(v, dense) },
    train: { flops: 0, bytes: 2 * bytesOf(v, dense) },
    setup: (make) => {
      const leaf = make.leaf(v);
      return () => gmr.ops.ringExpand(leaf, kernel);
    },
  };
}

export const suite: BenchSuite = { op: 'ring_expand', cases: [kernelOf(64, [9, 9]), kernelOf(64, [9, 9, 9])] };
