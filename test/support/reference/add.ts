import * as gmr from '../../../lib/index.js';
import type { OpSuite } from '../op_suite.js';

export const addSuite: OpSuite<null> = {
  op: 'add',
  activations: ['a', 'b'],
  cases: [
    { name: 'one element', inputs: { a: [1], b: [1] }, options: null },
    { name: 'empty', inputs: { a: [0], b: [0] }, options: null },
    { name: 'odd', inputs: { a: [3, 5, 7], b: [3, 5, 7] }, options: null },
    { name: 'several tasks', inputs: { a: [16384 * 2 + 1], b: [16384 * 2 + 1] }, options: null },
  ],
  run: ({ a, b }) => gmr.ops.add(a!, b!),
  reference: ({ a, b }) => ({ shape: a!.shape, data: a!.data.map((value, i) => value + b!.data[i]!) }),
};
