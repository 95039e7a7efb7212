import * as gmr from '../../../lib/index.js';
import type { OpCase, OpSuite } from '../op_suite.js';

interface Rates {
  momentum?: number;
  dampening?: number;
  nesterov?: boolean;
  weightDecay?: number;
  lr: number;
}

type Options = Rates & { firstStep: boolean };

/** One step on float64 arrays, in place, written after torch.optim.SGD. */
export function sgdStep(
  parameter: Float64Array,
  gradient: Float64Array,
  velocity: Float64Array,
  { lr, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0, firstStep }: Options,
): void {
  for (let i = 0; i < parameter.length; ++i) {
    let g = gradient[i]! + weightDecay * parameter[i]!;
    if (momentum !== 0) {
      velocity[i] = firstStep ? g : momentum * velocity[i]! + (1 - dampening) * g;
      g = nesterov ? g + momentum * velocity[i]! : velocity[i]!;
    }
    parameter[i]! -= lr * g;
  }
}

function testCase(name: string, shape: number[], options: Rates, firstStep = false): OpCase<Options> {
  const inputs: Record<string, number[]> = { parameter: shape, gradient: shape };
  if (options.momentum !== undefined) inputs['velocity'] = shape;
  return { name, inputs, options: { ...options, firstStep } };
}

export const sgdSuite: OpSuite<Options> = {
  op: 'sgd',
  constants: ['parameter', 'gradient', 'velocity'],
  cases: [
    testCase('one element', [1], { lr: 0.1 }),
    testCase('empty', [0, 3], { lr: 0.1, momentum: 0.9 }),
    testCase('odd, with decay', [3, 5, 7], { lr: 0.1, weightDecay: 0.01 }),
    testCase('momentum', [17], { lr: 0.1, momentum: 0.9 }),
    testCase('momentum, first step', [17], { lr: 0.1, momentum: 0.9, dampening: 0.5 }, true),
    testCase('dampening', [13], { lr: 0.1, momentum: 0.9, dampening: 0.5, weightDecay: 0.1 }),
    testCase('nesterov', [13], { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.1 }),
    testCase('several tasks', [2, 16384 + 1], { lr: 0.5, momentum: 0.9, weightDecay: 0.1 }),
  ],
  run: ({ parameter, gradient, velocity }, options) => {
    gmr.ops.sgd(parameter!, gradient!, velocity ?? null, options);
    return parameter!;
  },
  reference: ({ parameter, gradient, velocity }, options) => {
    const data = parameter!.data.slice();
    sgdStep(data, gradient!.data, velocity?.data.slice() ?? new Float64Array(data.length), options);
    return { shape: parameter!.shape, data };
  },
};
