import { ringExpandSuite } from '../../test/support/reference/ring_expand.js';
import { type BenchCase, benchSuite, bytesOf, extentsName, type OptionsOf } from '../support/cases.js';
import { ringCount } from '../support/ring_work.js';

function kernelOf(channels: number, kernel: readonly number[]): BenchCase<OptionsOf<typeof ringExpandSuite>> {
  const v = [channels, channels, ringCount(kernel[0]!)];
  const dense = [channels, channels, ...kernel];
  return {
    name: `${channels}>${channels} k=${extentsName(kernel)}`,
    bound: 'memory',
    forward: { flops: 0, bytes: bytesOf(v, dense) },
    train: { flops: 0, bytes: 2 * bytesOf(v, dense) },
    inputs: { v },
    options: { kernelSize: kernel },
  };
}

export const suite = benchSuite(ringExpandSuite, [kernelOf(64, [9, 9]), kernelOf(64, [9, 9, 9])]);
