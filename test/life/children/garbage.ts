// Arguments: how a million small tensors end, and how many there are. Prints what is left of them, JSON.
import { setImmediate, setTimeout } from 'node:timers/promises';
import * as gmr from '../../../lib/index.js';

export interface Leftover {
  buffers: number;
  bytes: number;
  reservedBytes: number;
  /** What V8 counts of memory outside its heap, more than before. */
  externalBytes: number;
  /** Of the process, more than before; while the tensors were made, and when they are gone. */
  peakResidentBytes: number;
  residentBytes: number;
}

const endings: Record<string, (i: number) => void | Promise<unknown>> = {
  disposed: (i) => {
    gmr.tensor([i]).dispose();
  },
  'used at once': async (i) => {
    using x = gmr.tensor([i]);
    if (i % 1000 === 0) await x.data();
  },
  'used across an await': async (i) => {
    using x = gmr.tensor([i]);
    using y = gmr.ops.activation(x);
    await (i % 10 === 0 ? y.data() : undefined);
    if (x.isDisposed || y.isDisposed) throw new Error('disposed before its block ended');
  },
  'left by an exception': (i) => {
    try {
      gmr.scope(() => {
        gmr.ops.activation(gmr.tensor([i]));
        if (i % 2 === 0) throw new Error('deliberate');
      });
    } catch {
      // half of them
    }
  },
  'forgotten in one turn': (i) => {
    gmr.tensor([i]);
  },
  'forgotten bit by bit': async (i) => {
    gmr.tensor([i]);
    if (i % 1000 === 0) await setImmediate();
  },
  'forgotten with work queued': (i) => {
    const x = gmr.tensor([i]);
    gmr.ops.add(x, x);
    return i % 1000 === 0 ? x.data() : undefined;
  },
  'forgotten, of 16 MiB': async () => {
    const x = gmr.tensor(new Float32Array(2 ** 22));
    gmr.ops.activation(x);
    await gmr.tensor([0]).data();
    await setImmediate();
  },
};

const [ending, count] = process.argv.slice(2) as [string, string];
const gc = (globalThis as { gc?: () => void }).gc;

/**
 * Makes the collector run, by asking or by need, until no tensor is left or it is hopeless. Tensors that have grown old
 * are found by a collection of the whole heap only, and garbage that dies young never brings one about: this lives long.
 */
async function collect(): Promise<void> {
  const end = performance.now() + 20_000;
  const kept: number[][] = [];
  for (let i = 0; performance.now() < end; ++i) {
    if (gc === undefined) {
      for (let j = 0; j < 16; ++j) kept[(16 * i + j) % 128] = new Array<number>(8192).fill(j);
    } else gc();
    // The stream lets go of what it has run; finalizers come between turns.
    await gmr.tensor([0]).data();
    await setTimeout(1);
    if (gmr.memory().buffers <= 1) return;
  }
}

await gmr.tensor([0]).data();
await collect();
gmr.emptyCache();
const before = process.memoryUsage();
let peak = before.rss;
for (let i = 0; i < Number(count); ++i) {
  const turn = endings[ending]!(i);
  if (turn !== undefined) await turn;
  if (i % 10_000 === 0 || Number(count) < 10_000) peak = Math.max(peak, process.memoryUsage.rss());
}
await collect();
gmr.emptyCache();
const { buffers, bytes, reservedBytes } = gmr.memory();
const after = process.memoryUsage();
const leftover: Leftover = {
  buffers,
  bytes,
  reservedBytes,
  externalBytes: after.external - before.external,
  peakResidentBytes: peak - before.rss,
  residentBytes: after.rss - before.rss,
};
console.log(JSON.stringify(leftover));
