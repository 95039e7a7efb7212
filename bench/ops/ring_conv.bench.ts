// Stride 1, zero padding that keeps the extents. The peer's dense 3 is the layer that a network without rings has in this place.
import { gmrStages } from '../../examples/mnist/networks.js';
import { fullSettings } from '../../examples/mnist/settings.js';
import { ringConvSuite } from '../../test/support/reference/ring_conv.js';
import {
  type BenchCase,
  benchSuite,
  extentsName,
  type OptionsOf,
  type PeerCase,
  type Targets,
} from '../support/cases.js';
import { ringConvWork, ringCount, type RingLayer } from '../support/ring_work.js';

function peersOf({ batch, inputs, outputs, extents, kernel }: RingLayer): PeerCase[] {
  const input = [batch, inputs, ...extents];
  const ones = kernel.map(() => 1);
  return [
    { name: 'dense 3', input, layers: [{ outputs, kernel: kernel.map(() => 3) }] },
    { name: 'dense k', input, layers: [{ outputs, kernel }] },
    {
      name: 'depthwise k + 1x1',
      input,
      layers: [
        { outputs: inputs, kernel, groups: inputs },
        { outputs, kernel: ones },
      ],
    },
  ];
}

function layer(prefix: string, shape: RingLayer, targets?: Targets): BenchCase<OptionsOf<typeof ringConvSuite>> {
  const { batch, inputs, outputs, extents, kernel } = shape;
  return {
    name: `${prefix}${batch}x${inputs}>${outputs} ${extentsName(extents)} k=${kernel[0]}`,
    bound: 'arithmetic',
    ...ringConvWork(shape),
    inputs: { x: [batch, inputs, ...extents], v: [outputs, inputs, ringCount(kernel[0]!)] },
    options: { kernelSize: [...kernel], padding: kernel.map((side) => Math.floor(side / 2)) },
    peers: peersOf(shape),
    targets,
  };
}

function plane(batch: number, inputs: number, outputs: number, extent: number, side: number): RingLayer {
  return { batch, inputs, outputs, extents: [extent, extent], kernel: [side, side] };
}

function cube(batch: number, inputs: number, outputs: number, extent: number, side: number): RingLayer {
  return { batch, inputs, outputs, extents: [extent, extent, extent], kernel: [side, side, side] };
}

/** Those of the demo's network, at its batch. */
function demoLayers(): ReturnType<typeof layer>[] {
  let [inputs, extent] = [1, 28];
  return gmrStages.map(({ width, kernel, pool }) => {
    const stage = layer('demo ', plane(fullSettings.batch, inputs, width, extent, kernel));
    inputs = width;
    if (pool === true) extent /= 2;
    return stage;
  });
}

const trainOverForward = 3.2;
const kernel9: Targets = { floorFraction: 0.75, peers: { 'dense 3': 0.75 }, trainOverForward };
const kernel5: Targets = { floorFraction: 0.75, peers: { 'dense 3': 0.5 }, trainOverForward };
const volume5: Targets = { peers: { 'dense 3': 0.5 }, trainOverForward };

export const suite = benchSuite(ringConvSuite, [
  layer('', plane(8, 64, 64, 56, 9), kernel9),
  layer('', plane(8, 64, 64, 32, 9), kernel9),
  layer('', plane(8, 128, 128, 28, 9), kernel9),
  layer('', plane(8, 256, 256, 14, 5), kernel5),
  layer('', plane(8, 512, 512, 7, 5), { ...kernel5, floorFraction: 0.65 }),
  layer('', plane(2, 64, 64, 56, 31), { floorFraction: 0.6, peers: { 'dense k': 0.05 }, trainOverForward }),
  layer('', cube(2, 16, 16, 16, 9), { peers: { 'dense k': 1 / 30 }, trainOverForward }),
  layer('', cube(2, 32, 32, 28, 9), { peers: { 'dense 3': 0.75, 'dense k': 1 / 30 }, trainOverForward }),
  layer('', { batch: 2, inputs: 32, outputs: 32, extents: [20, 36, 30], kernel: [5, 5, 5] }, volume5),
  layer('', cube(2, 1, 32, 48, 5)),
  layer('', cube(2, 16, 32, 48, 3), { peers: { 'dense 3': 0.5 }, trainOverForward }),
  ...demoLayers(),
]);
