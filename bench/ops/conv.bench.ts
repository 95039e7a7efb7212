import { convSuite } from '../../test/support/reference/conv.js';
import { type BenchCase, benchSuite, bytesOf, extentsName, type OptionsOf, product } from '../support/cases.js';

interface Layer {
  batch: number;
  inputs: number;
  outputs: number;
  extents: readonly number[];
  kernel: readonly number[];
  stride?: number;
}

// Padding is floor(k/2), so that output extents are those of the input over the stride.
function layer({ batch, inputs, outputs, extents, kernel, stride = 1 }: Layer): BenchCase<OptionsOf<typeof convSuite>> {
  const x = [batch, inputs, ...extents];
  const w = [outputs, inputs, ...kernel];
  const y = [batch, outputs, ...extents.map((extent) => Math.ceil(extent / stride))];
  const flops = 2 * product(y) * inputs * product(kernel);
  return {
    name: `${batch}x${inputs}>${outputs} ${extentsName(extents)} k=${kernel[0]}${stride === 1 ? '' : ` stride ${stride}`}`,
    bound: 'arithmetic',
    forward: { flops, bytes: bytesOf(x, w, y) },
    train: { flops: 3 * flops, bytes: 3 * bytesOf(x, w, y) },
    inputs: { x, w },
    options: { stride, padding: kernel.map((side) => Math.floor(side / 2)) },
    // The peer's layers have stride 1.
    peers: stride === 1 ? [{ name: 'dense k', input: x, layers: [{ outputs, kernel }] }] : undefined,
  };
}

export const suite = benchSuite(convSuite, [
  layer({ batch: 8, inputs: 64, outputs: 64, extents: [56, 56], kernel: [1, 1] }),
  layer({ batch: 8, inputs: 64, outputs: 64, extents: [56, 56], kernel: [3, 3] }),
  layer({ batch: 2, inputs: 3, outputs: 64, extents: [224, 224], kernel: [7, 7], stride: 2 }),
  layer({ batch: 2, inputs: 16, outputs: 16, extents: [16, 16, 16], kernel: [3, 3, 3] }),
]);
