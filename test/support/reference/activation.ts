import * as gmr from '../../../lib/index.js';
import type { OpSuite } from '../op_suite.js';

interface Options {
  slope: number;
}

export const activationSuite: OpSuite<Options> = {
  op: 'activation',
  activations: ['x'],
  cases: [
    { name: 'relu, one element', inputs: { x: [1] }, options: { slope: 0 } },
    { name: 'relu, empty', inputs: { x: [0, 3] }, options: { slope: 0 } },
    { name: 'relu, odd', inputs: { x: [3, 5, 7] }, options: { slope: 0 } },
    { name: 'leaky, several tasks', inputs: { x: [2, 16384 + 3] }, options: { slope: 0.1 } },
    { name: 'identity', inputs: { x: [17] }, options: { slope: 1 } },
  ],
  run: ({ x }, { slope }) => gmr.ops.activation(x!, slope),
  reference: ({ x }, { slope }) => ({
    shape: x!.shape,
    data: x!.data.map((value) => (value > 0 ? value : Math.fround(slope) * value)),
  }),
};
