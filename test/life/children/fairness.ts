// The main thread and three workers run the same passes for a while, over all cores, each always with some queued. Prints how many each
// has got done.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import * as gmr from '../../../lib/index.js';

const runMs = 1500;

/** Passes that are done within `runMs`. */
async function count(): Promise<number> {
  const x = gmr.tensor(new Float32Array(2 ** 16), [1, 16, 64, 64]);
  const w = gmr.tensor(new Float32Array(16 * 16 * 9), [16, 16, 3, 3]);
  const pass = (): Promise<unknown> => gmr.scope(() => [gmr.ops.conv(x, w, { padding: 1 }).data()])[0]!;
  const end = performance.now() + runMs;
  const queued = Array.from({ length: 8 }, pass);
  let done = 0;
  for (; performance.now() < end; ++done) {
    await queued.shift();
    queued.push(pass());
  }
  await Promise.all(queued);
  return done;
}

if (isMainThread) {
  const workers = Array.from({ length: 3 }, () => new Worker(fileURLToPath(import.meta.url)));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  for (const worker of workers) worker.postMessage('go');
  const counts = workers.map((worker) => once(worker, 'message'));
  const own = await count();
  console.log([own, ...(await Promise.all(counts)).flat()].join(' '));
} else {
  await gmr.device('cpu');
  parentPort!.postMessage('ready');
  await once(parentPort!, 'message');
  parentPort!.postMessage(await count());
  parentPort!.close();
}
