// Workers that end while a finished read of 32 MiB waits for their event loop, by `process.exit` and terminated.
// Prints how many bytes more are resident after four of each than after one.
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as gmr from '../../../lib/index.js';

async function endOne(how: string): Promise<void> {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: how });
  const exit = once(worker, 'exit');
  if (how === 'terminate') {
    await once(worker, 'message');
    await setTimeout(100); // for the read
    await worker.terminate();
  }
  await exit;
}

if (isMainThread) {
  for (const how of ['process.exit', 'terminate']) {
    await endOne(how);
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 4; ++i) await endOne(how);
    console.log(process.memoryUsage.rss() - before);
  }
} else {
  const device = await gmr.device('cpu');
  const x = gmr.tensor(new Float32Array(2 ** 23), undefined, { device });
  await gmr.tensor([1], undefined, { device }).data();
  void x.data();
  parentPort!.postMessage('reads');
  // The event loop does not turn any more.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, workerData === 'terminate' ? 10_000 : 200);
  process.exit(0);
}
