// What plain and ring convolution layers share: arguments, padding, the missing batch axis, first values.
import { expectBoolean, expectInteger, fail, type OptionNames } from '../errors.js';
import { pad, type PadMode } from '../ops/index.js';
import type { Normalisation } from '../ops/conv_geometry.js';
import { expectWindowFits, perAxis, type Extents } from '../ops/spatial.js';
import { elementCount, type Shape, type Tensor } from '../tensor.js';
import { withBatch } from './batch_axis.js';
import { layerOptionNames, weightParameter, type Fans, type LayerOptions, type WeightInit } from './init.js';
import { Module, unusual, type Settings } from './module.js';

export interface ConvLayerOptions extends LayerOptions {
  /** Steps between output positions. Default 1. */
  stride?: Extents;
  /** On both sides of each axis; `'same'` keeps the extents (stride 1 only), `'valid'` is 0. Default 0. */
  padding?: Extents | 'same' | 'valid';
  /** Steps between taps. Default 1. */
  dilation?: Extents;
  /** Channel groups that do not see each other. Default 1. */
  groups?: number;
  /** Default true. */
  bias?: boolean;
  /** What the padding holds. Default `'zeros'`. */
  paddingMode?: PadMode;
  /** Default `uniformFanIn`. */
  weightInit?: WeightInit;
}

/** @internal */
export const convLayerOptionNames: OptionNames<ConvLayerOptions> = {
  ...layerOptionNames,
  stride: true,
  padding: true,
  dilation: true,
  groups: true,
  bias: true,
  paddingMode: true,
  weightInit: true,
};

/** @internal Channels and groups of a layer, checked. */
export interface Channels {
  inChannels: number;
  outChannels: number;
  groups: number;
}

/** @internal */
export function expectChannels(
  layer: string,
  inChannels: unknown,
  outChannels: unknown,
  groups: unknown = 1,
): Channels {
  const channels = {
    inChannels: expectInteger(layer, 'inChannels', inChannels, 1),
    outChannels: expectInteger(layer, 'outChannels', outChannels, 1),
    groups: expectInteger(layer, 'groups', groups, 1),
  };
  if (channels.inChannels % channels.groups !== 0 || channels.outChannels % channels.groups !== 0) {
    fail(layer, 'groups', `divide inChannels ${channels.inChannels} and outChannels ${channels.outChannels}`, groups);
  }
  return channels;
}

/** @internal A weight, and a bias uniform in +-1/sqrt(its fan in), or none. */
export function convParameters(
  layer: string,
  weight: { shape: Shape; fans: Fans; biasFanIn: number },
  outChannels: number,
  options: LayerOptions & { bias?: boolean; weightInit?: WeightInit },
): { weight: Tensor; bias: Tensor | null } {
  const hasBias = expectBoolean(layer, 'bias', options.bias ?? true);
  return {
    weight: weightParameter(layer, weight.shape, weight.fans, options, options.weightInit),
    bias: hasBias ? weightParameter(layer, [outChannels], { in: weight.biasFanIn, out: outChannels }, options) : null,
  };
}

/** Zeros, or what `paddingMode` says, before and behind each axis. */
function resolvePadding(
  layer: string,
  padding: ConvLayerOptions['padding'],
  kernelSize: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): (readonly [number, number])[] {
  if (padding === 'valid') return kernelSize.map(() => [0, 0] as const);
  if (padding === 'same') {
    if (stride.some((step) => step !== 1)) fail(layer, 'stride', "be 1 with padding 'same'", stride);
    return kernelSize.map((side, axis) => {
      const total = dilation[axis]! * (side - 1);
      return [Math.floor(total / 2), Math.ceil(total / 2)] as const;
    });
  }
  if (typeof padding === 'string') fail(layer, 'padding', "be integers, 'same' or 'valid'", padding);
  return perAxis(layer, 'padding', padding ?? 0, kernelSize.length, 0).map((side) => [side, side] as const);
}

const paddingModes: readonly PadMode[] = ['zeros', 'reflect', 'replicate', 'circular'];

/** @internal Geometry as the ops take it. */
export interface ConvArguments {
  stride: readonly number[];
  padding: readonly number[];
  dilation: readonly number[];
  groups: number;
  bias: Tensor | null;
}

/** A convolution layer of any kind; see its subclasses. */
export abstract class ConvBase extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  /** Before and behind each axis. */
  readonly padding: readonly (readonly [number, number])[];
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly paddingMode: PadMode;
  readonly weight: Tensor;
  readonly bias: Tensor | null;

  /** @param taps What stands behind `[O, C/G]` in the weight's shape. */
  protected constructor(
    protected readonly layer: string,
    inChannels: number,
    outChannels: number,
    kernelSize: readonly number[],
    taps: readonly number[],
    options: ConvLayerOptions,
  ) {
    super();
    const { groups } = expectChannels(layer, inChannels, outChannels, options.groups);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.groups = groups;
    const rank = kernelSize.length;
    this.kernelSize = kernelSize;
    this.stride = perAxis(layer, 'stride', options.stride ?? 1, rank, 1);
    this.dilation = perAxis(layer, 'dilation', options.dilation ?? 1, rank, 1);
    this.padding = resolvePadding(layer, options.padding, kernelSize, this.stride, this.dilation);
    this.paddingMode = options.paddingMode ?? 'zeros';
    if (!paddingModes.includes(this.paddingMode)) {
      fail(layer, 'paddingMode', `be one of ${paddingModes.join(', ')}`, this.paddingMode);
    }
    const kernelTaps = elementCount(kernelSize);
    const groupInputs = inChannels / groups;
    const fans = { in: groupInputs * kernelTaps, out: outChannels * kernelTaps };
    const weight = { shape: [outChannels, groupInputs, ...taps], fans, biasFanIn: groupInputs * elementCount(taps) };
    ({ weight: this.weight, bias: this.bias } = convParameters(layer, weight, outChannels, options));
  }

  /** @internal The op on `[N, C, ...]`. */
  protected abstract convolve(x: Tensor, geometry: ConvArguments, norm: Normalisation | null): Tensor;

  /** @internal */
  protected override madeWith(): Settings {
    const usual = { stride: 1, padding: 0, dilation: 1, groups: 1, paddingMode: 'zeros', bias: true };
    return unusual({ ...super.madeWith(), bias: this.bias !== null }, usual);
  }

  protected override compute(x: Tensor): Tensor {
    return this.padAndConvolve(x, null);
  }

  /** @internal `forward` and, in the same pass over memory, a normalisation. */
  forwardNormalised(x: Tensor, norm: Normalisation): Tensor {
    return this.within(() => this.padAndConvolve(x, norm));
  }

  private padAndConvolve(x: Tensor, norm: Normalisation | null): Tensor {
    const { stride, dilation, groups, bias } = this;
    const opPads = this.paddingMode === 'zeros' && this.padding.every(([low, high]) => low === high);
    const padding = this.padding.map(([low]) => (opPads ? low : 0));
    const apply = (batch: Tensor): Tensor => {
      const padded = opPads ? batch : pad(batch, this.padding, this.paddingMode);
      expectWindowFits(this.layer, padded, this.kernelSize, padding, dilation);
      return this.convolve(padded, { stride, padding, dilation, groups, bias }, norm);
    };
    return withBatch(this.layer, x, this.kernelSize.length, apply, { name: 'inChannels', count: this.inChannels });
  }
}
