// Computes while the nth `operator new` of native code fails, for n = 0, 1, 2 ... until none does
// (native/testing/fail_new.cc). Prints a line a run: what that ended with, and what a pass gives afterwards.
import { openSync, readSync, writeSync } from 'node:fs';
import * as gmr from '../../../lib/index.js';

const [kind] = process.argv.slice(2);
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

/** What passes give, or the code of the error. */
async function compute(device: gmr.Device): Promise<string> {
  try {
    const read = gmr.scope(() => {
      const x = gmr.tensor(new Float32Array(2 * 6 * 6).fill(1), [1, 2, 6, 6], { device });
      const v = gmr.tensor(new Float32Array(2 * 3).fill(1), [1, 2, 3], { device });
      const y = gmr.ops.ringConv(x, v, { kernelSize: [5, 5], padding: 2 });
      return [gmr.ops.maxPool(gmr.ops.add(y, y), 2).data()];
    })[0]!;
    return (await read).join(' ');
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
  console.log(`${outcome}; ${await two.item()}; ${gmr.memory(device).buffers} buffers`);
}
