// Counts of memory that tensors which other tests have forgotten do not disturb: they are collected first.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as gmr from '../../lib/index.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Buffers and bytes that live tensors hold on a device, once its queued work is done. */
export async function heldMemory(device?: gmr.Device): Promise<{ buffers: number; bytes: number }> {
  // Until nothing more goes: among all tests, a collection leaves some to the next. Finalizers run between turns of the event loop.
  for (let i = 0, held = -1, unchanged = 0; unchanged < 3 && i < 100; ++i) {
    collectGarbage();
    await setImmediate();
    const { buffers } = gmr.memory(device);
    unchanged = buffers === held ? unchanged + 1 : 0;
    held = buffers;
  }
  using last = gmr.tensor([0], undefined, { device });
  await last.data();
  // Counted with this tensor: the stream lets go of it a moment after the read.
  const { buffers, bytes } = gmr.memory(device);
  return { buffers, bytes };
}
