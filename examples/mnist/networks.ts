// The two networks: convolutions, pooled twice, averaged over all places, and one linear layer. 28 x 28 pixels are halved twice
// without a remainder, and the GMR network's pools are averages: so it commutes with quarter turns and mirrors.
import * as gmr from '../../lib/index.js';
import { classes } from './data.js';

export interface Network {
  name: string;
  model: gmr.nn.Sequential;
  /** What it is made of, one line a layer. */
  layers: string[];
  /** The convolutions, by name. */
  convolutions: Map<string, gmr.nn.Module>;
}

interface Stage {
  width: number;
  kernel: number;
  pool?: boolean;
}

/** The GMR network's convolutions, in order; a stage with a pool halves the extents behind it. */
export const gmrStages: readonly Stage[] = [
  { width: 16, kernel: 13, pool: true },
  { width: 32, kernel: 9 },
  { width: 32, kernel: 9, pool: true },
  { width: 64, kernel: 7 },
  { width: 64, kernel: 7 },
];
// The CNN's widths double as is usual; the last is the one that gives it as many parameters as the GMR network, and a few more.
const cnnStages: readonly Stage[] = [
  { width: 16, kernel: 3, pool: true },
  { width: 32, kernel: 3, pool: true },
  { width: 96, kernel: 3 },
];

const convolutionOptions = { padding: 'same', bias: false } as const;

interface Kind {
  name: string;
  /** A fixed layer before all others. */
  front?: { line: string; module: gmr.nn.Module };
  convolution: string;
  pool: string;
  makeConvolution(inputs: number, outputs: number, kernel: number): gmr.nn.Module;
  makePool(): gmr.nn.Module;
}

function build(kind: Kind, stages: readonly Stage[], generator: gmr.Generator, device: gmr.Device): Network {
  const modules: Record<string, gmr.nn.Module> = {};
  const layers: string[] = [];
  const convolutions: Network['convolutions'] = new Map();
  let inputs = 1;
  if (kind.front !== undefined) {
    modules['front'] = kind.front.module;
    layers.push(kind.front.line);
  }
  stages.forEach(({ width, kernel, pool }, i) => {
    const name = `conv${i + 1}`;
    const convolution = kind.makeConvolution(inputs, width, kernel);
    convolutions.set(name, convolution);
    modules[name] = convolution;
    modules[`norm${i + 1}`] = new gmr.nn.BatchNorm2d(width, { device });
    modules[`relu${i + 1}`] = new gmr.nn.ReLU();
    layers.push(`${kind.convolution} ${kernel} × ${kernel}, ${inputs} → ${width}, batch norm, ReLU`);
    if (pool === true) {
      modules[`pool${i + 1}`] = kind.makePool();
      layers.push(`${kind.pool} 2 × 2`);
    }
    inputs = width;
  });
  modules['average'] = new gmr.nn.GlobalAvgPool();
  modules['linear'] = new gmr.nn.Linear(inputs, classes, { generator, device });
  layers.push('average over all places', `linear, ${inputs} → ${classes}`);
  return { name: kind.name, model: new gmr.nn.Sequential(modules), layers, convolutions };
}

/**
 * A Gaussian of standard deviation 2 as a 5 x 5 ring kernel that is not trained. It takes away what is finer than the grid can turn: a digit
 * turned by 45 degrees is resampled, and so smoother than the upright ones that the network learns from.
 */
function gaussianBlur(device: gmr.Device): gmr.nn.Module {
  const taps = [1, 8, 12]; // on each ring
  const values = taps.map((_, ring) => Math.exp(-((ring / 2) ** 2) / 2));
  const total = values.reduce((sum, value, ring) => sum + value * taps[ring]!, 0);
  const blur = new gmr.nn.GMRConv2d(1, 1, 5, { ...convolutionOptions, gaussian: false, device });
  const shape = [1, 1, taps.length];
  blur.loadStateDict({ weight: { dtype: 'F32', shape, data: Float32Array.from(values, (value) => value / total) } });
  for (const parameter of blur.parameters()) parameter.requiresGrad = false;
  return blur;
}

/** Ring kernels throughout. */
export function gmrNetwork(seed: number, device: gmr.Device): Network {
  const generator = new gmr.Generator(seed);
  const kind: Kind = {
    name: 'GMR network',
    front: { line: 'Gaussian blur 5 × 5, fixed', module: gaussianBlur(device) },
    convolution: 'ring convolution',
    pool: 'average pool',
    makeConvolution: (inputs, outputs, kernel) =>
      new gmr.nn.GMRConv2d(inputs, outputs, kernel, { ...convolutionOptions, generator, device }),
    makePool: () => new gmr.nn.AvgPool2d(2),
  };
  return build(kind, gmrStages, generator, device);
}

/** What one would write without a thought of turning: 3 x 3 convolutions and max-pools. */
export function plainNetwork(seed: number, device: gmr.Device): Network {
  const generator = new gmr.Generator(seed);
  const kind: Kind = {
    name: 'Ordinary CNN',
    convolution: 'convolution',
    pool: 'max pool',
    makeConvolution: (inputs, outputs, kernel) =>
      new gmr.nn.Conv2d(inputs, outputs, kernel, { ...convolutionOptions, generator, device }),
    makePool: () => new gmr.nn.MaxPool2d(2),
  };
  return build(kind, cnnStages, generator, device);
}

export function parameterCount({ model }: Network): number {
  const trained = [...model.parameters()].filter((parameter) => parameter.requiresGrad);
  return trained.reduce((count, parameter) => count + parameter.size, 0);
}
