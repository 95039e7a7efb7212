// In a worker thread alone, then beside it in the main thread.
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { train } from './train.mjs';

if (isMainThread) {
  const inWorker = () =>
    new Promise((resolve, reject) => {
      new Worker(new URL(import.meta.url)).on('message', resolve).on('error', reject);
    });
  const alone = await inWorker();
  const [again] = await Promise.all([inWorker(), import('gmr-conv').then(train)]);
  console.log(again === alone ? alone : `expected ${alone} again, received ${again}`);
} else {
  parentPort.postMessage(await train(await import('gmr-conv')));
}
