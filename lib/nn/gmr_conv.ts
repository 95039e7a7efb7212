// GMR convolution layers: Du et al., "GMR-Conv", arXiv 2504.02819.
import { expectOptions } from '../errors.js';
import type { Normalisation } from '../ops/conv_geometry.js';
import { ringConv } from '../ops/index.js';
import { ringConvNormalised } from '../ops/ring_conv.js';
import type { Extents } from '../ops/spatial.js';
import type { Shape, Tensor } from '../tensor.js';
import { ConvBase, convLayerOptionNames, type ConvArguments, type ConvLayerOptions } from './conv_base.js';
import { unusual, type Settings } from './module.js';
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

export interface GMRConvOptions extends ConvLayerOptions, RingOptions {}

class GMRConvNd extends ConvBase {
  /** `[R]`; null without Gaussians. */
  readonly logSigmas: Tensor | null;
  private readonly kernel: RingKernel;

  constructor(
    spatialDims: number,
    inChannels: number,
    outChannels: number,
    kernelSize: Extents,
    options: GMRConvOptions,
  ) {
    const layer = `GMRConv${spatialDims}d`;
    expectOptions(layer, options, { ...convLayerOptionNames, ...ringOptionNames });
    const kernel = resolveRingKernel(layer, spatialDims, kernelSize, options);
    super(layer, inChannels, outChannels, kernel.kernelSize, [kernel.numRings], options);
    this.kernel = kernel;
    this.logSigmas = initialLogSigmas(kernel, options);
  }

  get numRings(): number {
    return this.kernel.numRings;
  }

  get circular(): boolean {
    return this.kernel.circular;
  }

  /** @internal */
  protected override convolve(x: Tensor, geometry: ConvArguments, norm: Normalisation | null): Tensor {
    const { kernelSize, circular } = this.kernel;
    const v = effectiveWeight(this.weight, this.logSigmas);
    const options = { ...geometry, kernelSize, circular };
    return norm === null ? ringConv(x, v, options) : ringConvNormalised(x, v, options, norm);
  }

  /** @internal */
  protected override madeWith(): Settings {
    return unusual({ ...super.madeWith(), ...this.kernel }, usualRingOptions(this.kernel));
  }

  protected override derivedState(): Readonly<Record<string, Shape>> {
    return derivedRingState(this.weight, this.kernel);
  }
}

/**
 * GMR convolution over `[N, C, W]` or `[C, W]`.
 *
 * State: `weight [O, C/G, R]`, uniform in +-1/sqrt(C/G kw) at first; `log_sigmas [R]` (not with `gaussian: false`), the logarithm of
 * kw / (2 (R - 1)) / 2.355; `bias [O]` (not with `bias: false`), uniform in +-1/sqrt(C/G R).
 * @throws GmrError for an even side: such a kernel has no centre and cannot be equivariant.
 */
export class GMRConv1d extends GMRConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Extents, options: GMRConvOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * GMR convolution over `[N, C, H, W]` or `[C, H, W]`. With stride 1, equal sides and symmetric padding it commutes with the eight
 * symmetries of the grid. State as of GMRConv1d, with kh kw taps in place of kw and rings from the first side.
 */
export class GMRConv2d extends GMRConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Extents, options: GMRConvOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}

/** GMR convolution over `[N, C, D, H, W]` or `[C, D, H, W]`; 48 symmetries. See GMRConv2d. */
export class GMRConv3d extends GMRConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Extents, options: GMRConvOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
}
