// Argument: how many workers. Each queues work, then ends by itself: by process.exit, an error, or because nothing is left to do. Prints what
// the main thread hears of them.
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import * as gmr from '../../../lib/index.js';

const endings = ['exit', 'throw', 'natural end'] as const;

/** The exit code, and the message of the error if there was one. */
function runWorker(ending: string): Promise<string> {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: ending });
  return new Promise((resolve) => {
    let message = '';
    worker.on('error', (error) => (message = ` ${error.message}`));
    worker.on('exit', (code) => resolve(`${ending}: ${code}${message}`));
  });
}

if (isMainThread) {
  const heard = new Map<string, number>();
  for (let i = 0; i < Number(process.argv[2]); ++i) {
    const line = await runWorker(endings[i % endings.length]!);
    heard.set(line, (heard.get(line) ?? 0) + 1);
  }
  for (const [line, times] of heard) console.log(`${line}, ${times} times`);
} else {
  const x = gmr.tensor(new Float32Array(2 ** 18), [2, 32, 64, 64]);
  const v = gmr.tensor(new Float32Array(32 * 32 * 5), [32, 32, 5]);
  for (let i = 0; i < 50; ++i) gmr.ops.ringConv(x, v, { kernelSize: [9, 9], padding: 4 }).dispose();
  if (workerData === 'exit') process.exit(3);
  if (workerData === 'throw') throw new Error('deliberate');
}
