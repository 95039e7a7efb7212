import { rotateSuite } from '../../test/support/reference/rotate.js';
import { benchSuite, bytesOf, memoryShapes, product } from '../support/cases.js';

// 90: a permutation. 30: four neighbours with their weights an element, 7 operations.
const turns = [
  { degrees: 90, flopsEach: 0 },
  { degrees: 30, flopsEach: 7 },
];

export const suite = benchSuite(
  rotateSuite,
  turns.flatMap(({ degrees, flopsEach }) =>
    memoryShapes.map((shape) => ({
      name: `${degrees} degrees ${shape.join('x')}`,
      bound: 'memory' as const,
      forward: { flops: flopsEach * product(shape), bytes: bytesOf(shape, shape) },
      inputs: { x: shape },
      options: { degrees },
    })),
  ),
);
