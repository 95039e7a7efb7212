// Under a limit of 60 MiB: a worker holds a tensor of 28 and a cache of 12 while the main thread asks for memory.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import * as gmr from '../../../lib/index.js';

const zeros = (mebibytes: number): gmr.Tensor => gmr.tensor(new Float32Array(mebibytes * 2 ** 18));

if (isMainThread) {
  const worker = new Worker(fileURLToPath(import.meta.url));
  await once(worker, 'message');
  const small = zeros(24); // more than is left beside the worker's cache
  console.log((await small.data()).byteLength / 2 ** 20, 'MiB');
  try {
    zeros(36);
  } catch (error) {
    console.log((error as gmr.GmrError).code, (error as Error).message);
  }
  small.dispose();
  worker.postMessage('let go');
  await once(worker, 'message');
  const large = zeros(40); // where its tensor and ours were
  console.log((await large.data()).byteLength / 2 ** 20, 'MiB');
} else {
  const held = zeros(28);
  zeros(12).dispose();
  parentPort!.postMessage('ready');
  parentPort!.once('message', () => {
    held.dispose();
    parentPort!.postMessage('done');
  });
}
