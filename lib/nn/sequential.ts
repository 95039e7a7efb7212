import { fail } from '../errors.js';
import { activationDTypes, expectTensor, type Tensor } from '../tensor.js';
import { ReLU } from './activation.js';
import { BatchNormBase } from './batch_norm.js';
import { type AnyModule, Module } from './module.js';
import { pipe } from './pipe.js';

/** Returns its input. It holds the place of a layer that is left out, so that the names of the others stay. */
export class Identity extends Module {
  protected override compute(x: Tensor): Tensor {
    return expectTensor('Identity', 'x', x, { dtype: activationDTypes });
  }
}

/**
 * Modules applied one after the other; each result is freed as soon as the next is there. A rectifier that follows a batch
 * normalisation directly is computed in the same pass over memory.
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
    const steps: ((h: Tensor) => Tensor)[] = [];
    for (let i = 0; i < this.layers.length; ++i) {
      const layer = this.layers[i]!;
      if (layer instanceof BatchNormBase && this.layers[i + 1] instanceof ReLU) {
        steps.push((h) => layer.forward(h, { relu: true }));
        i += 1;
      } else {
        steps.push((h) => layer.forward(h));
      }
    }
    return pipe(x, ...steps);
  }
}
