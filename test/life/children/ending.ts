// Argument: how to end with work queued, a few milliseconds into it.
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import * as gmr from '../../../lib/index.js';

const [ending, waitMs] = process.argv.slice(2) as [string, string];
const loads = !ending.endsWith('only a worker');
if (loads) {
  // A second or so of work.
  const x = gmr.tensor(new Float32Array(2 ** 20), [8, 32, 64, 64]);
  const v = gmr.tensor(new Float32Array(32 * 32 * 5), [32, 32, 5]);
  for (let i = 0; i < 100; ++i) gmr.ops.ringConv(x, v, { kernelSize: [9, 9], padding: 4 }).dispose();
}
if (ending.includes('worker')) {
  const worker = new Worker(new URL('./training_worker.js', import.meta.url), { workerData: 'cpu' });
  await new Promise((resolve) => worker.once('message', resolve));
  worker.unref();
}
await setTimeout(Number(waitMs));
if (ending.startsWith('exit')) process.exit(7);
if (ending.startsWith('throw')) throw new Error('deliberate');
if (ending.startsWith('SIGTERM')) {
  process.kill(process.pid, 'SIGTERM');
  await setTimeout(5000); // it ends before that
}
