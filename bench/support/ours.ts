// A case of ours as a contestant. Its clock is the library's profile, the nanoseconds that the passes took in the stream.
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import * as gmr from '../../lib/index.js';
import { type BenchCase, type Maker, product } from './cases.js';
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

export function prepare(benchCase: BenchCase, device: gmr.Device): Prepared {
  const owned: gmr.Tensor[] = [];
  const leaves: gmr.Tensor[] = [];
  const keep = (tensor: gmr.Tensor): gmr.Tensor => {
    owned.push(tensor);
    return tensor;
  };
  const generator = xoroshiro128plus(20250404);
  const block = Float32Array.from({ length: 65_521 }, () => generator.next() / 2 ** 31);
  const uniform = (): number => generator.next() / 2 ** 31;
  const make: Maker = {
    constant: (shape) => keep(gmr.tensor(repeated(block, product(shape)), shape, { device })),
    leaf: (shape) => {
      const leaf = make.constant(shape);
      leaf.requiresGrad = true;
      leaves.push(leaf);
      return leaf;
    },
    filled: (shape, value) => keep(gmr.tensor(new Float32Array(product(shape)).fill(value), shape, { device })),
    integers: (shape, below) =>
      keep(
        gmr.tensor(
          Int32Array.from({ length: product(shape) }, () => Math.floor((uniform() + 1) * 0.5 * below)),
          shape,
          { device },
        ),
      ),
  };
  const queue = benchCase.setup(make);
  // Reading it awaits all that was queued before.
  const marker = make.constant([1]);

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
      return { ms: ms / calls, wallMs: wallMs / calls };
    },
  });

  const forward = contestant(() => {
    gmr.noGrad(() => gmr.scope(() => void queue()));
  });
  const dispose = (): void => {
    for (const tensor of owned) tensor.dispose();
  };
  if (benchCase.train === undefined) return { forward, dispose };

  const shape = gmr.scope(() => (queue() as gmr.Tensor).shape);
  const upstream = product(shape) === 1 ? undefined : make.constant(shape);
  const train = contestant(() => {
    gmr.scope(() => (queue() as gmr.Tensor).backward(upstream));
    for (const leaf of leaves) {
      leaf.grad?.dispose();
      leaf.grad = null;
    }
  });
  return { forward, train, dispose };
}
