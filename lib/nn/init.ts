// How parameters come to be: their first values, and tensors that no scope frees.
import { resolveDevice, type Device, type DeviceSpec } from '../device.js';
import { expectFunction, expectNumber, expectPlainObject, type OptionNames } from '../errors.js';
import { withoutScope } from '../memory.js';
import { defaultGenerator, expectGenerator, type Generator } from '../random.js';
import { elementCount, tensor, type Shape, type Tensor } from '../tensor.js';

/** Where a layer's parameters live and where their first values come from. */
export interface LayerOptions {
  /** Default: the device that `'auto'` stands for. */
  device?: Device | DeviceSpec;
  /** Default: the generator that `manualSeed` seeds. */
  generator?: Generator;
}

/** @internal */
export const layerOptionNames: OptionNames<LayerOptions> = { device: true, generator: true };

/** Taps times channels that one output sums (in), and that one input reaches (out, groups not divided out). */
export interface Fans {
  in: number;
  out: number;
}

/** First values of a weight. */
export type WeightInit = (count: number, fans: Fans, generator: Generator) => Float32Array;

function expectInitArguments(where: string, fans: Fans, generator: Generator): void {
  expectPlainObject(where, 'fans', fans);
  expectNumber(where, 'fans.in', fans.in, 1);
  expectNumber(where, 'fans.out', fans.out, 1);
  expectGenerator(where, generator);
}

/** Uniform in +-1/sqrt(fan in): PyTorch's default for convolutions and linear layers, and the reference's for ring layers. */
export const uniformFanIn: WeightInit = (count, fans, generator) => {
  expectInitArguments('uniformFanIn', fans, generator);
  const bound = 1 / Math.sqrt(fans.in);
  return generator.uniformArray(count, -bound, bound);
};

/** Normal with deviation sqrt(2 / fan out): Kaiming's, for layers that a rectifier follows. */
export const kaimingNormalFanOut: WeightInit = (count, fans, generator) => {
  expectInitArguments('kaimingNormalFanOut', fans, generator);
  return generator.normalArray(count, 0, Math.sqrt(2 / fans.out));
};

/**
 * A parameter, or a buffer with `requiresGrad` false. No scope frees it.
 * @internal
 */
export function parameter(values: Float32Array, shape: Shape, options: LayerOptions, requiresGrad = true): Tensor {
  return withoutScope(() => tensor(values, shape, { device: resolveDevice(options.device), requiresGrad }));
}

/** @internal A parameter that `init` fills. */
export function weightParameter(
  layer: string,
  shape: Shape,
  fans: Fans,
  options: LayerOptions,
  init: WeightInit = uniformFanIn,
): Tensor {
  expectFunction(layer, 'weightInit', init);
  const generator = expectGenerator(layer, options.generator ?? defaultGenerator());
  return parameter(init(elementCount(shape), fans, generator), shape, options);
}

/** @internal A parameter of one axis whose elements are all `value`. */
export function constantParameter(length: number, value: number, options: LayerOptions, requiresGrad = true): Tensor {
  return parameter(new Float32Array(length).fill(value), [length], options, requiresGrad);
}
