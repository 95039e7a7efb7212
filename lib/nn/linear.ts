import { expectBoolean, expectInteger, expectOptions } from '../errors.js';
import { conv } from '../ops/index.js';
import { activationDTypes, elementCount, expectTensor, type Tensor } from '../tensor.js';
import { layerOptionNames, weightParameter, type LayerOptions } from './init.js';
import { Module, unusual, type Settings } from './module.js';

export interface LinearOptions extends LayerOptions {
  /** Default true. */
  bias?: boolean;
}

/**
 * `x W^T + b` over the last axis: `[..., C]` -> `[..., O]` with any leading axes.
 * State: `weight [O, C]`, `bias [O]`, both uniform in +-1/sqrt(C) at first.
 */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly weight: Tensor;
  readonly bias: Tensor | null;

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    expectOptions('Linear', options, { ...layerOptionNames, bias: true });
    this.inFeatures = expectInteger('Linear', 'inFeatures', inFeatures, 1);
    this.outFeatures = expectInteger('Linear', 'outFeatures', outFeatures, 1);
    const fans = { in: inFeatures, out: outFeatures };
    const hasBias = expectBoolean('Linear', 'bias', options.bias ?? true);
    this.weight = weightParameter('Linear', [outFeatures, inFeatures], fans, options);
    this.bias = hasBias ? weightParameter('Linear', [outFeatures], fans, options) : null;
  }

  /** @internal */
  protected override madeWith(): Settings {
    return unusual({ ...super.madeWith(), bias: this.bias !== null }, { bias: true });
  }

  protected override compute(x: Tensor): Tensor {
    const { inFeatures, outFeatures, bias } = this;
    expectTensor('Linear', 'x', x, { rank: [1, 99], dtype: activationDTypes });
    const leading = x.shape.slice(0, -1);
    if (x.shape.at(-1) !== inFeatures) {
      expectTensor('Linear', 'x', x, { shape: [...leading, inFeatures], dtype: activationDTypes });
    }
    // A linear layer is the convolution of one tap over one pixel.
    const rows = x.reshape(elementCount(leading), inFeatures, 1);
    return conv(rows, this.weight.reshape(outFeatures, inFeatures, 1), { bias }).reshape(...leading, outFeatures);
  }
}
