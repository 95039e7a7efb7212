import { expectOptions } from '../errors.js';
import { convNormalised } from '../ops/conv.js';
import type { Normalisation } from '../ops/conv_geometry.js';
import { conv } from '../ops/index.js';
import { perAxis, type Extents } from '../ops/spatial.js';
import type { Tensor } from '../tensor.js';
import { ConvBase, convLayerOptionNames, type ConvArguments, type ConvLayerOptions } from './conv_base.js';

class ConvNd extends ConvBase {
  constructor(
    spatialDims: number,
    inChannels: number,
    outChannels: number,
    kernelSize: Extents,
    options: ConvLayerOptions,
  ) {
    const layer = `Conv${spatialDims}d`;
    expectOptions(layer, options, convLayerOptionNames);
    const sides = perAxis(layer, 'kernelSize', kernelSize, spatialDims, 1);
    super(layer, inChannels, outChannels, sides, sides, options);
  }

  /** @internal */
  protected override convolve(x: Tensor, geometry: ConvArguments, norm: Normalisation | null): Tensor {
    return norm === null ? conv(x, this.weight, geometry) : convNormalised(x, this.weight, geometry, norm);
  }
}

/**
 * Convolution over `[N, C, W]` or `[C, W]`. State: `weight [O, C/G, kw]`, `bias [O]`, both uniform in +-1/sqrt(C/G kw) at first, as in
 * PyTorch.
 */
export class Conv1d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Extents, options: ConvLayerOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/** Convolution over `[N, C, H, W]` or `[C, H, W]`; see Conv1d. */
export class Conv2d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Extents, options: ConvLayerOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}

/** Convolution over `[N, C, D, H, W]` or `[C, D, H, W]`; see Conv1d. */
export class Conv3d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Extents, options: ConvLayerOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
}
