import * as gmr from '../../../lib/index.js';
import { zeros } from '../ndarray.js';
import type { OpCase, OpSuite } from '../op_suite.js';

type Options = 'float32' | 'bfloat16';

function testCase(name: string, x: number[], options: Options): OpCase<Options> {
  return { name, inputs: { x }, options };
}

export const castSuite: OpSuite<Options> = {
  op: 'cast',
  cases: [testCase('to the same type', [3, 5], 'float32')],
  run: ({ x }, dtype) => gmr.ops.cast(x!, dtype),
  reference: ({ x }) => ({ ...zeros(x!.shape), data: x!.data }),
};
