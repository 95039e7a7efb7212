// Training under limits from far too little up to enough, each in a worker whose device starts from nothing.
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import * as gmr from '../../../lib/index.js';
import { SmallTraining } from '../../support/small_training.js';

/** The losses, or the code of the error. */
async function train(device: gmr.Device): Promise<string> {
  let training: SmallTraining | undefined;
  try {
    training = new SmallTraining(device);
    return (await training.run(3)).join(' ');
  } catch (error) {
    return (error as gmr.GmrError).code;
  } finally {
    training?.dispose();
  }
}

if (isMainThread) {
  for (let limit = 1024, outcome = 'out_of_memory'; outcome.startsWith('out_of_memory'); limit += 1024) {
    process.env['GMR_MEMORY_LIMIT'] = String(limit);
    const worker = new Worker(fileURLToPath(import.meta.url));
    const exit = once(worker, 'exit'); // which may come in one turn with the message
    [outcome] = (await once(worker, 'message')) as [string];
    await exit;
    console.log(outcome);
  }
} else {
  const device = await gmr.device('cpu');
  const outcome = await train(device);
  // What was made before the failure, a part of a model, is for the collector.
  (globalThis as unknown as { gc: () => void }).gc();
  await setTimeout(5);
  using one = gmr.tensor([1], undefined, { device });
  using two = gmr.tensor([2], undefined, { device });
  // A failure that nobody has read is handed to the next read.
  await one.data().catch(() => {});
  one.dispose();
  const answer = await two.item();
  parentPort!.postMessage(`${outcome}; ${answer}; ${gmr.memory(device).bytes} bytes`);
}
