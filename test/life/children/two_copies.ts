// Arguments: the URLs of two copies of the library. Both train at once, on the main thread and in a worker; none knows the other's tensors.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

type Library = typeof import('../../../lib/index.js');

const urls = process.argv.slice(2);
const copies = await Promise.all(urls.map((url) => import(url) as Promise<Library>));

async function descend(gmr: Library): Promise<string> {
  const w = gmr.tensor([1, 2, 3], undefined, { requiresGrad: true });
  const x = gmr.tensor(new Float32Array(2 ** 14).fill(1), [1, 1, 128, 128]);
  for (let step = 0; step < 10; ++step) {
    gmr.scope(() => {
      gmr.ops.ringConv(x, gmr.tensor([[[1, 0, 1]]]), { kernelSize: [5, 5], padding: 2 });
      const y = gmr.ops.add(w, w);
      y.backward(gmr.tensor([1, 1, 1]));
      gmr.ops.sgd(w, w.grad!, null, { lr: 0.125, firstStep: step === 0 });
      w.grad!.dispose();
      w.grad = null;
    });
  }
  const values = (await w.data()).join(' ');
  x.dispose();
  w.dispose();
  return values;
}

const answers = await Promise.all(copies.map(descend));
if (isMainThread) {
  const worker = new Worker(fileURLToPath(import.meta.url), { argv: urls });
  const [others] = (await once(worker, 'message')) as [string[]];
  console.log([...answers, ...others].join('\n'));
  const [first, second] = copies as [Library, Library];
  try {
    first.ops.add(second.tensor([1]), first.tensor([1]));
  } catch (error) {
    console.log((error as Error).message, error instanceof first.GmrError, error instanceof second.GmrError);
  }
  console.log(copies.map((gmr) => gmr.memory().limitBytes > 0).join(' '));
} else {
  parentPort!.postMessage(answers);
}
