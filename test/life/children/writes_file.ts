// Arguments: a path, a number of floats, `once` or `forever`. Writes a file of ones, then of twos, ... or says why it cannot.
import { writeSafetensors } from '../../../lib/io/index.js';
import type { GmrError } from '../../../lib/errors.js';

const [path, count, times] = process.argv.slice(2) as [string, string, 'once' | 'forever'];
for (let value = 1; ; ++value) {
  try {
    await writeSafetensors(path, { weight: new Float32Array(Number(count)).fill(value) }, { value: String(value) });
    console.log('written');
  } catch (error) {
    console.log(`${(error as GmrError).code} ${(error as GmrError).message}`);
  }
  if (times === 'once') break;
}
