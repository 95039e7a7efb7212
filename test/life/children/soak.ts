// Arguments: seconds, and `leak` to see that a leak is seen. Trains, writes and reads checkpoints, starts workers that train and
// terminates them. Fails when the process has grown from the second quarter of the time to the last.
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as gmr from '../../../lib/index.js';
import { SmallTraining } from '../../support/small_training.js';

const mebibyte = 2 ** 20;
/** What chance comes to. In half an hour, some hundred thousand steps, a leak of 100 bytes a step is beyond it. */
const growthLimitBytes = 12 * mebibyte;
const samples = 80;
const stepsAtOnce = 10;
const warmUpSteps = 3000;
const warmUpWorkers = 6;

const [seconds, mode] = process.argv.slice(2) as [string, string | undefined];
const gc = (globalThis as unknown as { gc: () => void }).gc;
const device = await gmr.device('cpu');
const path = join(tmpdir(), `gmr-soak-${process.pid}.safetensors`);
const training = new SmallTraining(device);
const leaked: gmr.Tensor[] = [];
const resident: number[] = [];
let steps = 0;

async function trainOn(): Promise<void> {
  await training.run(stepsAtOnce);
  steps += stepsAtOnce;
  if (mode === 'leak') leaked.push(gmr.tensor(new Float32Array(stepsAtOnce * 2 ** 14)));
}

async function startAndEndWorker(): Promise<void> {
  const worker = new Worker(new URL('./training_worker.js', import.meta.url), { workerData: 'cpu' });
  await new Promise((resolve) => worker.once('message', resolve));
  await worker.terminate();
}

// Code is compiled, heaps and the arenas of threads grow to their size.
for (let i = 0; i < warmUpWorkers; ++i) {
  while (steps < ((i + 1) * warmUpSteps) / warmUpWorkers) await trainOn();
  await startAndEndWorker();
}
const start = performance.now();
const duration = Number(seconds) * 1000;
while (resident.length < samples) {
  await trainOn();
  if (performance.now() - start < (duration * (resident.length + 1)) / samples) continue;
  await gmr.io.writeSafetensors(path, training.model.stateDict());
  training.model.loadStateDict((await gmr.io.readSafetensors(path)).tensors);
  if (resident.length % 10 === 0) await startAndEndWorker();
  gc();
  // V8 keeps up to 40 MiB of empty heap, or gives them back, as it sees fit.
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  resident.push(rss - heapTotal + heapUsed);
}
rmSync(path);
training.dispose();

const quarter = samples / 4;
const floor = (from: number): number => Math.min(...resident.slice(from, from + quarter));
const growth = floor(3 * quarter) - floor(quarter);
console.log(
  `${steps} steps in ${seconds} s: resident memory without V8's empty heap ${(floor(quarter) / mebibyte).toFixed(1)} MiB in the second quarter, ` +
    `${(growth / mebibyte).toFixed(1)} MiB more in the last; at most ${growthLimitBytes / mebibyte} are allowed`,
);
if (growth > growthLimitBytes) {
  console.log(`In MiB: ${resident.map((bytes) => (bytes / mebibyte).toFixed(1)).join(' ')}`);
  process.exitCode = 1;
}
