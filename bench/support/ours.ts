// A case of ours as a contestant. Its clock is the library's profile, the nanoseconds that the passes took in the stream.
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import * as gmr from '../../lib/index.js';
import { type BenchCase, type BenchSuite, product } from './cases.js';
import type { Yardstick } from './machine.js';
import type { Contestant } from './timing.js';

export interface Prepared {
  forward: Contestant;
  /** Where the case has gradients. */
  train?: Contestant;
  dispose(): void;
}

/** `count` numbers that repeat a block: making millions of them anew takes longer than the bench. */
function repeated(block: Float32Array, count: number): Float32Array {
  const values = new Float32Array(count);
  for (let at = 0; at < count; at += block.length) values.set(block.subarray(0, count - at), at);
  return values;
}

export function prepare(
  { test }: BenchSuite,
  benchCase: BenchCase,
  device: gmr.Device,
  yardstick: Yardstick,
): Prepared {
  const generator = xoroshiro128plus(20250404);
  const block = Float32Array.from({ length: 65_521 }, () => generator.next() / 2 ** 31);
  const valuesOf = (name: string, shape: readonly number[]): Float32Array | Int32Array => {
    const value = benchCase.filled?.[name];
    if (value !== undefined) return new Float32Array(product(shape)).fill(value);
    if (test.integers?.includes(name) !== true) return repeated(block, product(shape));
    return Int32Array.from(test.sample!(name, shape, () => (generator.next() >>> 0) / 2 ** 32, benchCase.options).data);
  };
  const tensors: Record<string, gmr.Tensor> = {};
  for (const [name, shape] of Object.entries(benchCase.inputs)) {
    const isLeaf = test.constants?.includes(name) !== true && test.integers?.includes(name) !== true;
    tensors[name] = gmr.tensor(valuesOf(name, shape), shape, { device, requiresGrad: isLeaf });
  }
  const leaves = Object.values(tensors).filter(({ requiresGrad }) => requiresGrad);
  const queue = (): gmr.Tensor => test.run(tensors, benchCase.options);
  // Reading it awaits all that was queued before.
  const marker = gmr.tensor([0], undefined, { device });
  const owned = [...Object.values(tensors), marker];

  const contestant = (queueOnce: () => void): Contestant => ({
    async sample(calls, warm) {
      if (warm) {
        queueOnce();
        await marker.data();
      }
      let wallMs = 0;
      const rows = await gmr.profile(device, async () => {
        const start = performance.now();
        for (let call = 0; call < calls; ++call) queueOnce();
        await marker.data();
        wallMs = performance.now() - start;
      });
      const ms = rows.reduce((total, row) => total + row.ms, 0);
      return { ms: ms / calls, wallMs: wallMs / calls, fmaGflops: await yardstick.fmaGflops() };
    },
  });

  const forward = contestant(() => {
    gmr.noGrad(() => gmr.scope(() => void queue()));
  });
  const dispose = (): void => {
    for (const tensor of owned) tensor.dispose();
  };
  if (benchCase.train === undefined) return { forward, dispose };

  const shape = gmr.scope(() => queue().shape);
  const upstream = product(shape) === 1 ? undefined : gmr.tensor(repeated(block, product(shape)), shape, { device });
  if (upstream !== undefined) owned.push(upstream);
  const train = contestant(() => {
    gmr.scope(() => queue().backward(upstream));
    for (const leaf of leaves) {
      leaf.grad?.dispose();
      leaf.grad = null;
    }
  });
  return { forward, train, dispose };
}
