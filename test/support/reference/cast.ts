import * as gmr from '../../../lib/index.js';
import type { OpCase, OpSuite } from '../op_suite.js';

type Options = 'float32' | 'bfloat16';

function testCase(name: string, x: number[], options: Options): OpCase<Options> {
  return { name, inputs: { x }, options };
}

export const castSuite: OpSuite<Options> = {
  op: 'cast',
  activations: ['x'],
  resultDType: (_, to) => to,
  cases: (['float32', 'bfloat16'] as const).flatMap((to) => [
    testCase(`one element to ${to}`, [1], to),
    testCase(`empty to ${to}`, [0, 3], to),
    testCase(`odd to ${to}`, [3, 5, 7], to),
    testCase(`several tasks to ${to}`, [2, 16384 + 3], to),
  ]),
  run: ({ x }, to) => gmr.ops.cast(x!, to),
  // Rounding is what the suite allows a bfloat16 to be off by.
  reference: ({ x }) => x!,
};
