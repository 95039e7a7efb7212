// What ring layers, plain and transposed, share: their kernel's options, its Gaussians, its effective weights.
import { expectBoolean, expectInteger, fail, type OptionNames } from '../errors.js';
import { ringWeight } from '../ops/index.js';
import { perAxis, type Extents } from '../ops/spatial.js';
import { elementCount, type Shape, type Tensor } from '../tensor.js';
import { constantParameter, type LayerOptions } from './init.js';

export interface RingOptions {
  /**
   * Rings of the kernel. Default: floor(k0/2) + 1, or one more when not circular; k0 is the first side. Taps at one distance from the centre
   * are in one ring, so no more rings have taps than there are distances: 3 of 3 x 3, 5 of 5 x 5, 8 of 7 x 7, 13 of 9 x 9 when circular, in
   * 1-D the default. Others are legal and empty: their weights get no gradient, unless Gaussians are wide enough for rings beside.
   */
  numRings?: number;
  /** Rings as circles that leave the corners out (default), or as shells that take all taps in. */
  circular?: boolean;
  /** Whether Gaussians mix the ring weights (default), or these are used as they are. */
  gaussian?: boolean;
  /** Whether the Gaussians' widths are trained. Default true. */
  trainSigma?: boolean;
}

/** @internal */
export const ringOptionNames: OptionNames<RingOptions> = {
  numRings: true,
  circular: true,
  gaussian: true,
  trainSigma: true,
};

/** @internal A ring layer's kernel, checked. */
export interface RingKernel {
  kernelSize: readonly number[];
  numRings: number;
  circular: boolean;
  gaussian: boolean;
  trainSigma: boolean;
}

/** @internal What the options of a kernel of these sides are where they are not given. */
export function usualRingOptions({ kernelSize, circular }: Pick<RingKernel, 'kernelSize' | 'circular'>) {
  const numRings = Math.floor(kernelSize[0]! / 2) + (circular ? 1 : 2);
  return { numRings, circular: true, gaussian: true, trainSigma: true };
}

/** @internal */
export function resolveRingKernel(
  layer: string,
  spatialDims: number,
  kernelSize: Extents,
  options: RingOptions,
): RingKernel {
  const sides = perAxis(layer, 'kernelSize', kernelSize, spatialDims, 1);
  if (sides.some((side) => side % 2 === 0)) {
    const reason = 'an even side has no centre tap, so the layer could not be equivariant';
    fail(layer, 'kernelSize', `have odd sides (${reason})`, kernelSize);
  }
  const circular = expectBoolean(layer, 'circular', options.circular ?? true);
  const usual = usualRingOptions({ kernelSize: sides, circular });
  return {
    kernelSize: sides,
    // The outermost shell is one distance alone: it takes another ring to hold the rest.
    numRings: expectInteger(layer, 'numRings', options.numRings ?? usual.numRings, circular ? 1 : 2),
    circular,
    gaussian: expectBoolean(layer, 'gaussian', options.gaussian ?? usual.gaussian),
    trainSigma: expectBoolean(layer, 'trainSigma', options.trainSigma ?? usual.trainSigma),
  };
}

// Full width at half maximum of a Gaussian, in units of its sigma: 2 sqrt(2 ln 2), with the reference's rounding.
const fwhmPerSigma = 2.355;

/** @internal Logarithms `[R]` of the first sigmas, whose width is a ring's, or null without Gaussians. */
export function initialLogSigmas(kernel: RingKernel, options: LayerOptions): Tensor | null {
  if (!kernel.gaussian) return null;
  const { numRings, kernelSize, trainSigma } = kernel;
  const width = numRings === 1 ? 1 : kernelSize[0]! / (2 * (numRings - 1));
  return constantParameter(numRings, Math.log(width / fwhmPerSigma), options, trainSigma);
}

/** @internal The weights `[O, C/G, R]` of the rings themselves. */
export function effectiveWeight(weight: Tensor, logSigmas: Tensor | null): Tensor {
  return logSigmas === null ? weight : ringWeight(weight, logSigmas);
}

/** @internal What the reference's state dict holds beside a layer's state: functions of its options. */
export function derivedRingState(weight: Tensor, kernel: RingKernel): Record<string, Shape> {
  const masks = [1, 1, kernel.numRings, elementCount(kernel.kernelSize)];
  return {
    default_weight_index_mat: masks,
    weight_index_mat: masks,
    infer_weight_matrix: [weight.shape[0]!, weight.shape[1]!, ...kernel.kernelSize],
    ...(kernel.gaussian ? { mus: [kernel.numRings] } : {}),
  };
}
