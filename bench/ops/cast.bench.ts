import { castSuite } from '../../test/support/reference/cast.js';
import { bfloat16Rounding } from '../../test/support/ndarray.js';
import { benchSuite, bytesOf, memoryShapes } from '../support/cases.js';

export const suite = benchSuite(
  castSuite,
  memoryShapes.map((shape) => ({
    name: `to bfloat16 ${shape.join('x')}`,
    bound: 'memory',
    forward: { flops: 0, bytes: 1.5 * bytesOf(shape) },
    train: { flops: 0, bytes: 3 * bytesOf(shape) },
    inputs: { x: shape },
    options: 'bfloat16',
    tolerance: bfloat16Rounding,
  })),
);
