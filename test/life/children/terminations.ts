// Arguments: a kind of device, a number of terminations, a seed. Eight workers train at once and are terminated at random moments, each
// replaced by another; then the main thread trains.
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import * as gmr from '../../../lib/index.js';
import { SmallTraining } from '../../support/small_training.js';

const [kind, count, seed] = process.argv.slice(2) as [string, string, string];
const random = new gmr.Generator(Number(seed));
let left = Number(count);

/** Starts and terminates workers, one after the other, while the others go on. */
async function terminateWorkers(): Promise<void> {
  while (left > 0) {
    left -= 1;
    const worker = new Worker(new URL('./training_worker.js', import.meta.url), { workerData: kind });
    const trains = once(worker, 'message');
    // One in four is not even loaded when it ends.
    if (random.uniform() < 0.25) await Promise.race([trains, setTimeout(random.uniform(0, 100))]);
    else await trains;
    await setTimeout(random.uniform(0, 20));
    await worker.terminate();
    trains.catch(() => {});
  }
}

await Promise.all(Array.from({ length: 8 }, terminateWorkers));
const training = new SmallTraining(gmr.Device.open(kind));
console.log(...(await training.run(3)));
