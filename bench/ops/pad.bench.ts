import * as gmr from '../../lib/index.js';
import { bytesOf, memoryShapes, type BenchSuite } from '../support/cases.js';

const width = 4;

export const suite: BenchSuite = {
  op: 'pad',
  cases: (['reflect', 'circular'] as const).flatMap((mode) =>
    memoryShapes.map((shape) => {
      const y = [shape[0], shape[1], shape[2] + 2 * width, shape[3] + 2 * width];
      return {
        name: `${mode} ${width} ${shape.join('x')}`,
        bound: 'memory' as const,
        forward: { flops: 0, bytes: bytesOf(shape, y) },
        train: { flops: 0, bytes: 2 * bytesOf(shape, y) },
        setup: (make) => {
          const x = make.leaf(shape);
          return () =>
            gmr.ops.pad(
              x,
              [
                [width, width],
                [width, width],
              ],
              mode,
            );
        },
      } satisfies BenchSuite['cases'][number];
    }),
  ),
};
