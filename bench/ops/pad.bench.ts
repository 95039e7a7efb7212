import { padSuite } from '../../test/support/reference/pad.js';
import { benchSuite, bytesOf, memoryShapes } from '../support/cases.js';

const width = 4;

export const suite = benchSuite(
  padSuite,
  (['reflect', 'circular'] as const).flatMap((mode) =>
    memoryShapes.map((shape) => {
      const y = [shape[0], shape[1], shape[2] + 2 * width, shape[3] + 2 * width];
      return {
        name: `${mode} ${width} ${shape.join('x')}`,
        bound: 'memory' as const,
        forward: { flops: 0, bytes: bytesOf(shape, y) },
        train: { flops: 0, bytes: 2 * bytesOf(shape, y) },
        inputs: { x: shape },
        options: {
          padding: [
            [width, width],
            [width, width],
          ],
          mode,
        },
      };
    }),
  ),
);
