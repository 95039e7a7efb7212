// Arguments: a CUDA error, a number of steps. On GPU after GPU, the nth call of the CUDA runtime fails with the error while a
// network is made and trained, until a run meets no failure. With a third argument n, all calls from the nth on fail to the
// end of the process, as of a lost GPU, which ends with work queued. Prints a line a run, JSON, and behind those of a sweep
// one of what is left when all are closed.
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import * as gmr from '../../../lib/index.js';
import { cudaSimControl } from '../../support/cuda_sim.js';
import { SmallTraining } from '../../support/small_training.js';

/** What a run leads to: its losses, or its error. */
interface Outcome {
  losses?: number[];
  code?: string;
  message?: string;
}

export interface FaultRun {
  /** The function of the CUDA runtime that failed. */
  failed: string;
  /** Of the run with the failure, and of another on the same device. */
  outcomes: Outcome[];
  /** What the device holds when the models of both are gone. */
  buffers: number;
  /** What the interpreter has to say: memory that nobody has written was read, and the like. */
  report: string;
}

/** What the CUDA runtime still has when the thread that used it has ended: see `leaks` of the interpreter. */
export interface Left {
  leaks: string[];
}

async function attempt(open: () => gmr.Device): Promise<Outcome> {
  let training: SmallTraining | undefined;
  try {
    training = new SmallTraining(open());
    return { losses: await training.run(steps) };
  } catch (error) {
    const { code, message } = error as gmr.GmrError;
    return { code, message };
  } finally {
    training?.dispose();
  }
}

async function run(index: number, nth: number): Promise<FaultRun> {
  let device: gmr.Device | undefined;
  const open = (): gmr.Device => (device ??= gmr.Device.open('cuda_sim', index));
  control.fail('*', nth, error);
  const outcomes = [await attempt(open)];
  const failed = control.failed();
  const report = control.report();
  if (nth > 0) control.reset();
  outcomes.push(await attempt(open));
  // The stream lets go of what was read a moment after the read.
  for (let i = 0; i < 100 && gmr.memory(device).buffers > 0; ++i) await setTimeout(1);
  const { buffers } = gmr.memory(device);
  if (nth < 0 && device !== undefined) new SmallTraining(device).run(1).catch(() => {});
  return { failed, outcomes, buffers, report };
}

const [error, steps, lostAt] = process.argv.slice(2).map(Number) as [number, number, number?];
const control = cudaSimControl();

async function sweep(say: (run: FaultRun) => void): Promise<void> {
  for (let index = 0, failed = '?'; failed !== ''; ++index) {
    const made = await run(index, index + 1);
    ({ failed } = made);
    say(made);
  }
}

if (lostAt !== undefined) {
  console.log(JSON.stringify(await run(0, -lostAt)));
} else if (isMainThread) {
  // Devices close when their thread ends.
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  worker.on('message', (made: FaultRun) => console.log(JSON.stringify(made)));
  await once(worker, 'exit');
  const leaks = control.leaks().split('\n').slice(0, -1);
  console.log(JSON.stringify({ leaks } satisfies Left));
} else {
  await sweep((made) => parentPort!.postMessage(made));
}
