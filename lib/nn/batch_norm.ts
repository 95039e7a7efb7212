import type { Device } from '../device.js';
import { expectBoolean, expectInteger, expectNumber, expectOptions, type OptionNames } from '../errors.js';
import { batchNormScale } from '../ops/batch_norm.js';
import type { Normalisation } from '../ops/conv_geometry.js';
import { batchNorm } from '../ops/index.js';
import { activationDTypes, expectTensor, type Tensor } from '../tensor.js';
import { expectChannelCount, withBatch } from './batch_axis.js';
import { expectGenerator } from '../random.js';
import { constantParameter, layerOptionNames, type LayerOptions } from './init.js';
import { Module, unusual, type Settings } from './module.js';
import { Counter } from './state_dict.js';

/** `generator` is there so that one object can serve all layers: first values here are constants. */
export interface BatchNormLayerOptions extends LayerOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** How far running statistics move towards a batch's; null: they are the mean over all batches. Default 0.1. */
  momentum?: number | null;
  /** Whether a trained scale and shift follow. Default true. */
  affine?: boolean;
  /** First value of the scale. Default 1. */
  initialWeight?: number;
  /** Whether running statistics are kept for evaluation; without them a batch's own are used there too. Default true. */
  trackRunningStats?: boolean;
}

const optionNames: OptionNames<BatchNormLayerOptions> = {
  ...layerOptionNames,
  eps: true,
  momentum: true,
  affine: true,
  initialWeight: true,
  trackRunningStats: true,
};

/** What the normalisation takes over from layers behind it, in the same pass over memory. */
export interface Fused {
  /** Added to the result; of x's shape. */
  residual?: Tensor;
  /** Whether a rectifier follows, after the residual. Default false. */
  relu?: boolean;
}

const fusedNames: OptionNames<Fused> = { residual: true, relu: true };

/** Batch normalisation of any spatial rank; see its subclasses. */
export abstract class BatchNormBase extends Module<[x: Tensor, fused?: Fused]> {
  static override readonly bufferNames = ['runningMean', 'runningVar'];

  readonly numFeatures: number;
  readonly eps: number;
  readonly momentum: number | null;
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly runningMean: Tensor | null;
  readonly runningVar: Tensor | null;
  readonly numBatchesTracked: Counter | null;
  protected readonly layer: string;

  protected constructor(
    protected readonly spatialDims: number,
    numFeatures: number,
    options: BatchNormLayerOptions,
  ) {
    super();
    const layer = `BatchNorm${spatialDims}d`;
    expectOptions(layer, options, optionNames);
    const { eps = 1e-5, momentum = 0.1, affine = true, initialWeight = 1, trackRunningStats = true } = options;
    this.layer = layer;
    if (options.generator !== undefined) expectGenerator(layer, options.generator);
    this.numFeatures = expectInteger(layer, 'numFeatures', numFeatures, 1);
    this.eps = expectNumber(layer, 'eps', eps, 0);
    this.momentum = momentum === null ? null : expectNumber(layer, 'momentum', momentum, 0, 1);
    expectNumber(layer, 'initialWeight', initialWeight);
    const hasAffine = expectBoolean(layer, 'affine', affine);
    const tracks = expectBoolean(layer, 'trackRunningStats', trackRunningStats);
    this.weight = hasAffine ? constantParameter(numFeatures, initialWeight, options) : null;
    this.bias = hasAffine ? constantParameter(numFeatures, 0, options) : null;
    this.runningMean = tracks ? constantParameter(numFeatures, 0, options, false) : null;
    this.runningVar = tracks ? constantParameter(numFeatures, 1, options, false) : null;
    this.numBatchesTracked = tracks ? new Counter() : null;
  }

  /** On a batch. */
  protected normalise(x: Tensor, { relu = false, residual }: Fused): Tensor {
    const { weight, bias, runningMean, runningVar, numBatchesTracked, eps } = this;
    const tracks = runningMean !== null && runningVar !== null && numBatchesTracked !== null;
    const running = tracks ? { mean: runningMean, variance: runningVar } : null;
    const training = this.training || !tracks;
    const momentum = this.momentum ?? 1 / ((numBatchesTracked?.value ?? 0) + 1);
    const y = batchNorm(x, weight, bias, running, { training, momentum, eps, relu, residual });
    if (tracks && training) numBatchesTracked.value += 1;
    return y;
  }

  /**
   * What a convolution with batches of `[N, outChannels, ...]` needs to do this layer's work too, or null where it cannot: in training,
   * or for layers that do not fit together.
   * @internal
   */
  runningNormalisation(outChannels: number, spatialDims: number, device: Device): Omit<Normalisation, 'relu'> | null {
    const { runningMean: mean, runningVar, weight, bias: shift, eps } = this;
    if (this.training || mean === null || runningVar === null) return null;
    if (outChannels !== this.numFeatures || spatialDims !== this.spatialDims || device !== mean.device) return null;
    return { mean, scale: this.within(() => batchNormScale(weight, runningVar, eps)), shift };
  }

  /** @internal */
  protected override madeWith(): Settings {
    const [affine, trackRunningStats] = [this.weight !== null, this.runningMean !== null];
    const made = { ...super.madeWith(), momentum: String(this.momentum), affine, trackRunningStats };
    return unusual(made, { eps: 1e-5, momentum: 0.1, affine: true, trackRunningStats: true });
  }

  protected override compute(x: Tensor, fused: Fused = {}): Tensor {
    expectOptions(this.layer, fused, fusedNames, 'fused');
    const apply = (batch: Tensor): Tensor => {
      const { residual } = fused;
      if (batch === x || residual === undefined) return this.normalise(batch, fused);
      expectTensor(this.layer, 'residual', residual, { shape: x.shape, dtype: x.dtype });
      return this.normalise(batch, { ...fused, residual: residual.reshape(...batch.shape) });
    };
    return withBatch(this.layer, x, this.spatialDims, apply, { name: 'numFeatures', count: this.numFeatures });
  }
}

/**
 * Batch normalisation of `[N, C]` or `[N, C, W]`: `(x - mean) / sqrt(variance + eps) * weight + bias` for each channel, with the batch's
 * statistics in training and the running ones in evaluation.
 *
 * State: `weight [C]` (1 at first), `bias [C]` (0), `running_mean [C]` (0), `running_var [C]` (1, unbiased), `num_batches_tracked []`.
 */
export class BatchNorm1d extends BatchNormBase {
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super(1, numFeatures, options);
  }

  protected override compute(x: Tensor, fused: Fused = {}): Tensor {
    expectOptions(this.layer, fused, fusedNames, 'fused');
    expectTensor(this.layer, 'x', x, { rank: [2, 3], dtype: activationDTypes });
    expectChannelCount(this.layer, x, 1, { name: 'numFeatures', count: this.numFeatures });
    return this.normalise(x, fused);
  }
}

/** Batch normalisation of `[N, C, H, W]` or `[C, H, W]`; see BatchNorm1d. */
export class BatchNorm2d extends BatchNormBase {
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super(2, numFeatures, options);
  }
}

/** Batch normalisation of `[N, C, D, H, W]` or `[C, D, H, W]`; see BatchNorm1d. */
export class BatchNorm3d extends BatchNormBase {
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super(3, numFeatures, options);
  }
}
