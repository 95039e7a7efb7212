// A worker that trains until it is terminated, always with steps queued.
import { parentPort, workerData } from 'node:worker_threads';
import * as gmr from '../../../lib/index.js';
import { SmallTraining } from '../../support/small_training.js';

const device = gmr.Device.open(workerData as string);
const training = new SmallTraining(device);
let ahead = training.run(20);
parentPort!.postMessage('trains');
for (;;) {
  const next = training.run(20);
  await ahead;
  ahead = next;
}
