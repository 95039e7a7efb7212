// Workers that train on a GPU and end: by themselves, in the middle of it, and where one thing could not be given back. Prints what each
// left behind there, JSON.
import { once } from 'node:events';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import * as gmr from '../../../lib/index.js';
import { cudaError, cudaSimControl } from '../../support/cuda_sim.js';
import { SmallTraining } from '../../support/small_training.js';

const control = cudaSimControl();

if (isMainThread) {
  const left = (): string[] => control.leaks().split('\n').slice(0, -1);
  await once(new Worker(new URL(import.meta.url)), 'exit');
  const ended = left();
  const worker = new Worker(new URL('training_worker.js', import.meta.url), { workerData: 'cuda_sim' });
  await once(worker, 'message');
  await worker.terminate();
  const terminated = left();
  await once(new Worker(new URL(import.meta.url), { workerData: 'fail' }), 'exit');
  console.log(JSON.stringify({ ended, terminated, failed: left() }));
} else {
  const training = new SmallTraining(gmr.Device.open('cuda_sim'));
  await training.run(3);
  if (workerData === 'fail') control.fail('cudaFree', 1, cudaError.memoryAllocation);
}
