// Transposed GMR convolution layers: the adjoint of GMRConv in its input, as a forward pass.
import { expectOptions, fail, type OptionNames } from '../errors.js';
import { ringConvTranspose } from '../ops/index.js';
import { perAxis, type Extents } from '../ops/spatial.js';
import { elementCount, type Shape, type Tensor } from '../tensor.js';
import { withBatch } from './batch_axis.js';
import { convParameters, expectChannels } from './conv_base.js';
import { layerOptionNames, type LayerOptions, type WeightInit } from './init.js';
import { Module, unusual, type Settings } from './module.js';
import {
  derivedRingState,
  effectiveWeight,
  initialLogSigmas,
  resolveRingKernel,
  ringOptionNames,
  usualRingOptions,
  type RingKernel,
  type RingOptions,
} from './ring_kernel.js';

export interface GMRConvTransposeOptions extends LayerOptions, RingOptions {
  /** Steps of the convolution that this transposes. Default 1. */
  stride?: Extents;
  /** Of the convolution that this transposes: taken off both sides of the result. Default 0. */
  padding?: Extents;
  /** Rows added behind each axis, below stride or dilation. Default 0. */
  outputPadding?: Extents;
  /** Default 1. */
  dilation?: Extents;
  /** Default 1. */
  groups?: number;
  /** Default true. */
  bias?: boolean;
  /** Default `uniformFanIn`. */
  weightInit?: WeightInit;
}

const optionNames: OptionNames<GMRConvTransposeOptions> = {
  ...layerOptionNames,
  ...ringOptionNames,
  stride: true,
  padding: true,
  outputPadding: true,
  dilation: true,
  groups: true,
  bias: true,
  weightInit: true,
};

class GMRConvTransposeNd extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  /** `[R]`; null without Gaussians. */
  readonly logSigmas: Tensor | null;
  private readonly layer: string;
  private readonly kernel: RingKernel;

  constructor(
    spatialDims: number,
    inChannels: number,
    outChannels: number,
    kernelSize: Extents,
    options: GMRConvTransposeOptions,
  ) {
    super();
    const layer = `GMRConvTranspose${spatialDims}d`;
    expectOptions(layer, options, optionNames);
    const kernel = resolveRingKernel(layer, spatialDims, kernelSize, options);
    const { groups } = expectChannels(layer, inChannels, outChannels, options.groups);
    this.layer = layer;
    this.kernel = kernel;
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = kernel.kernelSize;
    this.groups = groups;
    this.stride = perAxis(layer, 'stride', options.stride ?? 1, spatialDims, 1);
    this.padding = perAxis(layer, 'padding', options.padding ?? 0, spatialDims, 0);
    this.outputPadding = perAxis(layer, 'outputPadding', options.outputPadding ?? 0, spatialDims, 0);
    this.dilation = perAxis(layer, 'dilation', options.dilation ?? 1, spatialDims, 1);
    if (this.outputPadding.some((rows, axis) => rows >= Math.max(this.stride[axis]!, this.dilation[axis]!))) {
      fail(layer, 'outputPadding', 'be smaller than stride or dilation', this.outputPadding);
    }
    const groupOutputs = outChannels / groups;
    const taps = elementCount(kernel.kernelSize);
    const weight = {
      shape: [inChannels, groupOutputs, kernel.numRings],
      fans: { in: groupOutputs * taps, out: inChannels * taps },
      biasFanIn: groupOutputs * kernel.numRings,
    };
    ({ weight: this.weight, bias: this.bias } = convParameters(layer, weight, outChannels, options));
    this.logSigmas = initialLogSigmas(kernel, options);
  }

  get numRings(): number {
    return this.kernel.numRings;
  }

  protected override compute(x: Tensor): Tensor {
    const { stride, padding, outputPadding, dilation, groups, bias } = this;
    const { kernelSize, circular } = this.kernel;
    const options = { stride, padding, outputPadding, dilation, groups, bias, kernelSize, circular };
    const apply = (batch: Tensor): Tensor =>
      ringConvTranspose(batch, effectiveWeight(this.weight, this.logSigmas), options);
    return withBatch(this.layer, x, kernelSize.length, apply, { name: 'inChannels', count: this.inChannels });
  }

  /** @internal */
  protected override madeWith(): Settings {
    const usual = { stride: 1, padding: 0, outputPadding: 0, dilation: 1, groups: 1, bias: true };
    const made = { ...super.madeWith(), ...this.kernel, bias: this.bias !== null };
    return unusual(made, { ...usual, ...usualRingOptions(this.kernel) });
  }

  protected override derivedState(): Readonly<Record<string, Shape>> {
    return derivedRingState(this.weight, this.kernel);
  }
}

/**
 * Transposed GMR convolution over `[N, C, W]` or `[C, W]`; each extent becomes
 * `(in - 1) stride - 2 padding + dilation (k - 1) + outputPadding + 1`.
 *
 * State: `weight [C, O/G, R]`, `log_sigmas [R]`, `bias [O]`, with first values as of GMRConv1d, but O/G in place of C/G: PyTorch takes the
 * fan of a transposed layer from the second axis of its weight.
 */
export class GMRConvTranspose1d extends GMRConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Extents, options: GMRConvTransposeOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/** Transposed GMR convolution over `[N, C, H, W]` or `[C, H, W]`; see GMRConvTranspose1d. */
export class GMRConvTranspose2d extends GMRConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Extents, options: GMRConvTransposeOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}

/** Transposed GMR convolution over `[N, C, D, H, W]` or `[C, D, H, W]`; see GMRConvTranspose1d. */
export class GMRConvTranspose3d extends GMRConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Extents, options: GMRConvTransposeOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
}
