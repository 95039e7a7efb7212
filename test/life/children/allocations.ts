// Computes while the nth `operator new` of native code fails, for n = 0, 1, 2 ... until none does
// (native/testing/fail_new.cc). Prints a line a run: what that ended with, and what a pass gives afterwards.
import { openSync, readSync, writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import * as gmr from '../../../lib/index.js';

const [kind] = process.argv.slice(2);
const gc = (globalThis as unknown as { gc: () => void }).gc;
const counter = new BigInt64Array(1);
const file = openSync(process.env['GMR_FAIL_NEW']!, 'r+');

function letThrough(count: number): void {
  counter[0] = BigInt(count);
  writeSync(file, counter, 0, 8, 0);
}

/** Whether the one that was to fail was asked for. */
function hasFailed(): boolean {
  readSync(file, counter, 0, 8, 0);
  return counter[0]! < 0n;
}

/** What passes give, there and back, or the code of the error. */
async function compute(device: gmr.Device): Promise<string> {
  const { ops } = gmr;
  const ones = (...shape: number[]): gmr.Tensor => {
    const size = shape.reduce((count, extent) => count * extent, 1);
    return gmr.tensor(new Float32Array(size).fill(1), shape, { device, requiresGrad: true });
  };
  try {
    const reads = gmr.scope(() => {
      const [x, v, w, scale, bias] = [ones(1, 2, 6, 6), ones(3, 2, 3), ones(2, 3, 3, 3), ones(3), ones(3)];
      const rings = ops.ringConv(x, v, { kernelSize: [5, 5], padding: 2 });
      const normal = ops.batchNorm(rings, scale, bias, null, { training: true, relu: true });
      const y = ops.maxPool(ops.add(ops.conv(normal, w, { padding: 1 }), ops.rotate(x.detach(), 90)), 2);
      y.backward(ones(...y.shape).detach());
      return [y, ...[x, v, w, scale, bias].map(({ grad }) => grad!)].map((tensor) => tensor.data());
    });
    await Promise.allSettled(reads);
    return (await Promise.all(reads)).map((data) => data.join(' ')).join(' ');
  } catch (error) {
    return (error as gmr.GmrError).code;
  }
}

const device = gmr.Device.open(kind as 'cpu');
await compute(device); // makes what is made once
for (let n = 0, isThrough = false; !isThrough; ++n) {
  letThrough(n);
  const outcome = await compute(device);
  isThrough = !hasFailed();
  letThrough(-1);
  using one = gmr.tensor([1], undefined, { device });
  using two = gmr.tensor([2], undefined, { device });
  // A failure that nobody has read is handed to the next read.
  await one.data().catch(() => {});
  one.dispose();
  const answer = await two.item();
  // What a gradient had made before it failed is for the collector.
  for (let i = 0; i < 10 && gmr.memory(device).buffers > 1; ++i) {
    gc();
    await setTimeout(1);
  }
  console.log(`${outcome}; ${answer}; ${gmr.memory(device).buffers} buffers`);
}
