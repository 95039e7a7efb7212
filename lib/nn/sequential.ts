import { isGradEnabled } from '../autograd.js';
import { fail } from '../errors.js';
import { activationDTypes, expectTensor, type Tensor } from '../tensor.js';
import { ReLU } from './activation.js';
import { BatchNorm1d, BatchNorm2d, BatchNorm3d, type BatchNormBase } from './batch_norm.js';
import { Conv1d, Conv2d, Conv3d } from './conv.js';
import type { ConvBase } from './conv_base.js';
import { GMRConv1d, GMRConv2d, GMRConv3d } from './gmr_conv.js';
import { type AnyModule, Module } from './module.js';
import { pipe } from './pipe.js';

const convolutions: readonly (new (...args: never[]) => ConvBase)[] = [
  Conv1d,
  Conv2d,
  Conv3d,
  GMRConv1d,
  GMRConv2d,
  GMRConv3d,
];
const normalisations = [BatchNorm1d, BatchNorm2d, BatchNorm3d];

/** Whether what a layer computes is known: it is of one of these classes, not of one derived from them, and nothing was put in its way. */
function isOneOf<M extends AnyModule>(classes: readonly (new (...args: never[]) => M)[], layer: AnyModule): layer is M {
  return (
    classes.some((known) => layer.constructor === known) &&
    layer.forward === Module.prototype.forward &&
    !Object.hasOwn(layer, 'compute')
  );
}

/** A convolution, a normalisation and perhaps a rectifier: in evaluation and without gradients one pass over memory. */
function convBatchNorm(x: Tensor, conv: ConvBase, norm: BatchNormBase, relu: boolean): Tensor {
  const { kernelSize, outChannels, weight } = conv;
  const isBatch = x.shape.length === kernelSize.length + 2;
  const running =
    isGradEnabled() || !isBatch ? null : norm.runningNormalisation(outChannels, kernelSize.length, weight.device);
  if (running !== null) return conv.forwardNormalised(x, { ...running, relu });
  return pipe(
    x,
    (h) => conv.forward(h),
    (h) => norm.forward(h, { relu }),
  );
}

/** Returns its input. It holds the place of a layer that is left out, so that the names of the others stay. */
export class Identity extends Module {
  protected override compute(x: Tensor): Tensor {
    return expectTensor('Identity', 'x', x, { dtype: activationDTypes });
  }
}

/**
 * Modules applied one after the other; each result is freed as soon as the next is there. A rectifier that follows a batch
 * normalisation directly is computed in the same pass over memory. In evaluation, while no gradients are recorded (`noGrad`), so is a
 * batch normalisation that follows a convolution of `Conv*` or `GMRConv*` directly, with its rectifier: of float32 to the same bits, of bfloat16
 * with one rounding instead of two. Layers of classes derived from these are applied as they are.
 *
 * State: that of the modules, under `0`, `1`, ..., or under the names given.
 */
export class Sequential extends Module {
  readonly layers: readonly Module[];
  private readonly names: readonly string[];

  constructor(...layers: Module[]);
  constructor(layers: Readonly<Record<string, Module>>);
  constructor(first?: Module | Readonly<Record<string, Module>>, ...rest: Module[]) {
    super();
    if (first !== undefined && (typeof first !== 'object' || first === null)) {
      fail('Sequential', 'layers', 'be Modules or an object of Modules', first);
    }
    const named = first === undefined || first instanceof Module ? [first ?? [], ...rest].flat() : first;
    this.names = Object.keys(named);
    this.layers = Object.values(named);
    const odd = this.layers.findIndex((layer) => !(layer instanceof Module));
    if (odd >= 0) fail('Sequential', `layer ${this.names[odd]}`, 'be a Module', this.layers[odd]);
  }

  override *namedChildren(): IterableIterator<[string, AnyModule]> {
    for (const [i, layer] of this.layers.entries()) yield [this.names[i]!, layer];
  }

  protected override compute(x: Tensor): Tensor {
    return inTurn(x, this.layers);
  }
}

/** The layers themselves, with those of Sequentials among them in their place. */
function flat(layers: readonly Module[]): readonly Module[] {
  return layers.flatMap((layer) => (isOneOf([Sequential], layer) ? flat(layer.layers) : [layer]));
}

/**
 * Applies modules one after the other, as `Sequential` does.
 * @internal
 */
export function inTurn(x: Tensor, modules: readonly Module[]): Tensor {
  const layers = flat(modules);
  const steps: ((h: Tensor) => Tensor)[] = [];
  for (let i = 0; i < layers.length; ++i) {
    const layer = layers[i]!;
    const conv = isOneOf(convolutions, layer) ? layer : null;
    const norm = conv === null ? layer : layers[i + 1];
    if (norm === undefined || !isOneOf(normalisations, norm)) {
      steps.push((h) => layer.forward(h));
      continue;
    }
    if (conv !== null) i += 1;
    const after = layers[i + 1];
    const relu = after !== undefined && isOneOf([ReLU], after);
    if (relu) i += 1;
    steps.push((h) => (conv === null ? norm.forward(h, { relu }) : convBatchNorm(h, conv, norm, relu)));
  }
  return pipe(x, ...steps);
}
