import * as gmr from '../../lib/index.js';
import { bytesOf, memoryShapes, product, type BenchSuite } from '../support/cases.js';

// 90: a permutation. 30: four neighbours with their weights an element, 7 operations.
const turns = [
  { degrees: 90, flopsEach: 0 },
  { degrees: 30, flopsEach: 7 },
];

export const suite: BenchSuite = {
  op: 'rotate',
  cases: turns.flatMap(({ degrees, flopsEach }) =>
    memoryShapes.map(
      (shape) =>
        ({
          name: `${degrees} degrees ${shape.join('x')}`,
          bound: 'memory' as const,
          forward: { flops: flopsEach * product(shape), bytes: bytesOf(shape, shape) },
          setup: (make) => {
            const x = make.constant(shape);
            return () => gmr.ops.rotate(x, degrees);
          },
        }) satisfies BenchSuite['cases'][number],
    ),
  ),
};
