import { expectBoolean, expectInteger, expectOptions } from '../errors.js';
import { avgPool, globalAvgPool, maxPool, type AvgPoolOptions, type MaxPoolOptions } from '../ops/index.js';
import { avgPoolOptionNames } from '../ops/avg_pool.js';
import { maxPoolOptionNames } from '../ops/max_pool.js';
import { expectWindowFits, perAxis, type Extents } from '../ops/spatial.js';
import type { Tensor } from '../tensor.js';
import { withBatch } from './batch_axis.js';
import { Module, unusual, type Settings } from './module.js';

class AvgPoolNd extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly countIncludePad: boolean;
  private readonly layer: string;

  constructor(spatialDims: number, kernelSize: Extents, options: AvgPoolOptions) {
    super();
    this.layer = `AvgPool${spatialDims}d`;
    expectOptions(this.layer, options, avgPoolOptionNames);
    this.kernelSize = perAxis(this.layer, 'kernelSize', kernelSize, spatialDims, 1);
    this.stride = perAxis(this.layer, 'stride', options.stride ?? this.kernelSize, spatialDims, 1);
    this.padding = perAxis(this.layer, 'padding', options.padding ?? 0, spatialDims, 0);
    this.countIncludePad = expectBoolean(this.layer, 'countIncludePad', options.countIncludePad ?? true);
  }

  /** @internal */
  protected override madeWith(): Settings {
    return unusual(super.madeWith(), { stride: this.kernelSize, padding: 0, countIncludePad: true });
  }

  protected override compute(x: Tensor): Tensor {
    const { kernelSize, stride, padding, countIncludePad } = this;
    return withBatch(this.layer, x, kernelSize.length, (batch) => {
      expectWindowFits(this.layer, batch, kernelSize, padding);
      return avgPool(batch, kernelSize, { stride, padding, countIncludePad });
    });
  }
}

/** Mean over windows of `[N, C, W]` or `[C, W]`; the stride is the window's size unless given. */
export class AvgPool1d extends AvgPoolNd {
  constructor(kernelSize: Extents, options: AvgPoolOptions = {}) {
    super(1, kernelSize, options);
  }
}

/** Mean over windows of `[N, C, H, W]` or `[C, H, W]`; see AvgPool1d. */
export class AvgPool2d extends AvgPoolNd {
  constructor(kernelSize: Extents, options: AvgPoolOptions = {}) {
    super(2, kernelSize, options);
  }
}

/** Mean over windows of `[N, C, D, H, W]` or `[C, D, H, W]`; see AvgPool1d. */
export class AvgPool3d extends AvgPoolNd {
  constructor(kernelSize: Extents, options: AvgPoolOptions = {}) {
    super(3, kernelSize, options);
  }
}

class MaxPoolNd extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  private readonly layer: string;

  constructor(spatialDims: number, kernelSize: Extents, options: MaxPoolOptions) {
    super();
    this.layer = `MaxPool${spatialDims}d`;
    expectOptions(this.layer, options, maxPoolOptionNames);
    this.kernelSize = perAxis(this.layer, 'kernelSize', kernelSize, spatialDims, 1);
    this.stride = perAxis(this.layer, 'stride', options.stride ?? this.kernelSize, spatialDims, 1);
    this.padding = perAxis(this.layer, 'padding', options.padding ?? 0, spatialDims, 0);
    this.dilation = perAxis(this.layer, 'dilation', options.dilation ?? 1, spatialDims, 1);
  }

  /** @internal */
  protected override madeWith(): Settings {
    return unusual(super.madeWith(), { stride: this.kernelSize, padding: 0, dilation: 1 });
  }

  protected override compute(x: Tensor): Tensor {
    const { kernelSize, stride, padding, dilation } = this;
    return withBatch(this.layer, x, kernelSize.length, (batch) => {
      expectWindowFits(this.layer, batch, kernelSize, padding, dilation);
      return maxPool(batch, kernelSize, { stride, padding, dilation });
    });
  }
}

/** Maximum over windows of `[N, C, W]` or `[C, W]`; the stride is the window's size unless given. */
export class MaxPool1d extends MaxPoolNd {
  constructor(kernelSize: Extents, options: MaxPoolOptions = {}) {
    super(1, kernelSize, options);
  }
}

/** Maximum over windows of `[N, C, H, W]` or `[C, H, W]`; see MaxPool1d. */
export class MaxPool2d extends MaxPoolNd {
  constructor(kernelSize: Extents, options: MaxPoolOptions = {}) {
    super(2, kernelSize, options);
  }
}

/** Maximum over windows of `[N, C, D, H, W]` or `[C, D, H, W]`; see MaxPool1d. */
export class MaxPool3d extends MaxPoolNd {
  constructor(kernelSize: Extents, options: MaxPoolOptions = {}) {
    super(3, kernelSize, options);
  }
}

/**
 * Mean over all spatial axes: `[N, C, H, W]` -> `[N, C]`, or `[C, H, W]` -> `[C]`. As in every layer, the number of spatial axes is the
 * layer's own, so that the input's axes tell whether there is a batch; for 1-D and 3-D networks it must be said.
 */
export class GlobalAvgPool extends Module {
  readonly spatialDims: number;

  /** @param options.spatialDims 1, 2 (the default) or 3. */
  constructor(options: { spatialDims?: number } = {}) {
    super();
    expectOptions('GlobalAvgPool', options, { spatialDims: true });
    this.spatialDims = expectInteger('GlobalAvgPool', 'spatialDims', options.spatialDims ?? 2, 1, 3);
  }

  protected override compute(x: Tensor): Tensor {
    const { spatialDims } = this;
    return withBatch(`GlobalAvgPool(spatialDims: ${spatialDims})`, x, spatialDims, globalAvgPool);
  }
}
