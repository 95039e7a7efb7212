// GMR-ResNet: residual networks whose 3 x 3 convolutions are GMR convolutions and whose strides are average pools, so that the whole
// commutes with the grid's turns and mirrors. Structure and state-dict names are the reference's (arXiv 2504.02819).
import { expectBoolean, expectInteger, expectOptions, expectString, fail, type OptionNames } from '../errors.js';
import {
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  GlobalAvgPool,
  GMRConv2d,
  Identity,
  kaimingNormalFanOut,
  Linear,
  Module,
  ReLU,
  Sequential,
  type LayerOptions,
} from '../nn/index.js';
import { withBatch } from '../nn/batch_axis.js';
import { layerOptionNames } from '../nn/init.js';
import { pipe } from '../nn/pipe.js';
import { inTurn } from '../nn/sequential.js';
import { perAxis } from '../ops/spatial.js';
import type { Tensor } from '../tensor.js';

export interface GmrResNetOptions extends LayerOptions {
  /** Default 1000. */
  numClasses?: number;
  /** Default 3. */
  inChannels?: number;
  /** Channels of the first stage; each further one has twice as many. Default 64. */
  inplanes?: number;
  /** Kernel side, odd, one number or one a stage. Default 3; the paper's results use [9, 9, 5, 5]. */
  gmrConvSize?: number | readonly number[];
  /** Rings of a kernel, one number or one a stage. Default: what the side gives. */
  numRings?: number | readonly number[];
  /** Stride of each stage: an average pool before its first ring convolution. Default [1, 2, 2, 2]. */
  layerStride?: readonly number[];
  /** Leaves out the pool behind the stem, for small images. Default false. */
  skipFirstPool?: boolean;
  /** Starts each block as the identity: the last normalisation's weight is 0. Default false. */
  zeroInitResidual?: boolean;
}

const optionNames: OptionNames<GmrResNetOptions> = {
  ...layerOptionNames,
  numClasses: true,
  inChannels: true,
  inplanes: true,
  gmrConvSize: true,
  numRings: true,
  layerStride: true,
  skipFirstPool: true,
  zeroInitResidual: true,
};

interface BlockOptions {
  inChannels: number;
  width: number;
  stride: number;
  kernelSize: number;
  numRings: number | undefined;
  /** First weight of the normalisation before the sum. */
  lastWeight: number;
  layer: LayerOptions;
}

type Block = Module & { readonly outChannels: number };

function ringConv(
  inChannels: number,
  outChannels: number,
  options: Pick<BlockOptions, 'kernelSize' | 'numRings' | 'stride' | 'layer'>,
): Module {
  const { kernelSize, numRings, stride, layer } = options;
  const ring = new GMRConv2d(inChannels, outChannels, kernelSize, {
    padding: 'same',
    bias: false,
    numRings,
    weightInit: kaimingNormalFanOut,
    ...layer,
  });
  return stride === 1 ? ring : new Sequential(new AvgPool2d(stride), ring);
}

function pointwise(inChannels: number, outChannels: number, layer: LayerOptions): Conv2d {
  return new Conv2d(inChannels, outChannels, 1, { bias: false, weightInit: kaimingNormalFanOut, ...layer });
}

/** The way around a block that changes extents or channels. */
function shortcut({ inChannels, stride, layer }: BlockOptions, outChannels: number): Sequential | null {
  if (stride === 1 && inChannels === outChannels) return null;
  return new Sequential(
    stride === 1 ? new Identity() : new AvgPool2d(stride),
    pointwise(inChannels, outChannels, layer),
    new BatchNorm2d(outChannels, layer),
  );
}

const relu = new ReLU();

/** Two ring convolutions. */
class BasicBlock extends Module {
  readonly outChannels: number;
  readonly conv1: Module;
  readonly bn1: BatchNorm2d;
  readonly conv2: Module;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(options: BlockOptions) {
    super();
    const { inChannels, width, lastWeight, layer } = options;
    this.outChannels = width;
    this.conv1 = ringConv(inChannels, width, options);
    this.bn1 = new BatchNorm2d(width, layer);
    this.conv2 = ringConv(width, width, { ...options, stride: 1 });
    this.bn2 = new BatchNorm2d(width, { ...layer, initialWeight: lastWeight });
    this.downsample = shortcut(options, width);
  }

  protected override compute(x: Tensor): Tensor {
    const residual = this.downsample?.forward(x) ?? x;
    return pipe(
      x,
      (h) => inTurn(h, [this.conv1, this.bn1, relu]),
      (h) => this.conv2.forward(h),
      (h) => this.bn2.forward(h, { relu: true, residual }),
    );
  }
}

/** A ring convolution between two pointwise ones, of which the last has four times the channels. */
class Bottleneck extends Module {
  readonly outChannels: number;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Module;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(options: BlockOptions) {
    super();
    const { inChannels, width, lastWeight, layer } = options;
    this.outChannels = 4 * width;
    this.conv1 = pointwise(inChannels, width, layer);
    this.bn1 = new BatchNorm2d(width, layer);
    this.conv2 = ringConv(width, width, options);
    this.bn2 = new BatchNorm2d(width, layer);
    this.conv3 = pointwise(width, this.outChannels, layer);
    this.bn3 = new BatchNorm2d(this.outChannels, { ...layer, initialWeight: lastWeight });
    this.downsample = shortcut(options, this.outChannels);
  }

  protected override compute(x: Tensor): Tensor {
    const residual = this.downsample?.forward(x) ?? x;
    return pipe(
      x,
      (h) => inTurn(h, [this.conv1, this.bn1, relu, this.conv2, this.bn2, relu]),
      (h) => this.conv3.forward(h),
      (h) => this.bn3.forward(h, { relu: true, residual }),
    );
  }
}

const stages = 4;
const stemKernelSize = 5;

/**
 * A GMR-ResNet. `[N, C, H, W]` (or `[C, H, W]`) -> logits `[N, classes]` (or `[classes]`). In evaluation the logits do not change under
 * turns by 90 degrees and mirrors of the image, up to rounding (of float32 less than 1e-5 of the logits' norm), if every pool divides the
 * extents (32 with the default strides divides all).
 *
 * First values, as of the reference: convolutions normal with deviation sqrt(2 / (O k^2)), normalisations 1 and 0, `fc` uniform in
 * +-1/sqrt(fan in). Running statistics start at 0 and 1, far from what these give: until some tens of training steps have settled them,
 * logits in evaluation are huge (of ResNet-18 with sides 9, 9, 5, 5: 1e2 to 1e8), and so is what rounding changes.
 */
export class GmrResNet extends Module {
  readonly conv1: GMRConv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly fc: Linear;
  private readonly pool: Module;
  private readonly globalPool = new GlobalAvgPool();

  /** @internal The functions below make it. */
  constructor(
    model: string,
    block: new (options: BlockOptions) => Block,
    counts: readonly number[],
    options: GmrResNetOptions,
  ) {
    super();
    expectString('GmrResNet', 'model', model);
    if (block !== BasicBlock && block !== Bottleneck) fail(model, 'block', 'be one of this file', block);
    const blocksPerStage = perAxis(model, 'counts', counts, stages, 1);
    expectOptions(model, options, optionNames);
    const {
      numClasses = 1000,
      inChannels = 3,
      inplanes = 64,
      skipFirstPool = false,
      zeroInitResidual = false,
    } = options;
    const layer: LayerOptions = { device: options.device, generator: options.generator };
    expectInteger(model, 'numClasses', numClasses, 1);
    expectInteger(model, 'inChannels', inChannels, 1);
    expectInteger(model, 'inplanes', inplanes, 1);
    expectBoolean(model, 'skipFirstPool', skipFirstPool);
    expectBoolean(model, 'zeroInitResidual', zeroInitResidual);
    const kernelSizes = perAxis(model, 'gmrConvSize', options.gmrConvSize ?? 3, stages, 1);
    if (kernelSizes.some((side) => side % 2 === 0)) fail(model, 'gmrConvSize', 'be odd', options.gmrConvSize);
    const rings = options.numRings === undefined ? [] : perAxis(model, 'numRings', options.numRings, stages, 1);
    const strides = perAxis(model, 'layerStride', options.layerStride ?? [1, 2, 2, 2], stages, 1);

    this.conv1 = new GMRConv2d(inChannels, inplanes, stemKernelSize, {
      padding: 'same',
      bias: false,
      weightInit: kaimingNormalFanOut,
      ...layer,
    });
    this.bn1 = new BatchNorm2d(inplanes, layer);
    this.pool = skipFirstPool ? new Identity() : new AvgPool2d(2);
    let channels = inplanes;
    const stage = (index: number): Sequential => {
      const blocks = Array.from({ length: blocksPerStage[index]! }, (_, i) => {
        const made = new block({
          inChannels: channels,
          width: inplanes * 2 ** index,
          stride: i === 0 ? strides[index]! : 1,
          kernelSize: kernelSizes[index]!,
          numRings: rings[index],
          lastWeight: zeroInitResidual ? 0 : 1,
          layer,
        });
        channels = made.outChannels;
        return made;
      });
      return new Sequential(...blocks);
    };
    this.layer1 = stage(0);
    this.layer2 = stage(1);
    this.layer3 = stage(2);
    this.layer4 = stage(3);
    this.fc = new Linear(channels, numClasses, layer);
  }

  protected override compute(x: Tensor): Tensor {
    return withBatch('GmrResNet', x, 2, (batch) =>
      pipe(
        batch,
        (h) => inTurn(h, [this.conv1, this.bn1, relu]),
        (h) => this.pool.forward(h),
        (h) => this.layer1.forward(h),
        (h) => this.layer2.forward(h),
        (h) => this.layer3.forward(h),
        (h) => this.layer4.forward(h),
        (h) => this.globalPool.forward(h),
        (h) => this.fc.forward(h),
      ),
    );
  }
}

/** ResNet-18: blocks of two ring convolutions, 2 + 2 + 2 + 2. With sides 9, 9, 5, 5 and 10 classes: 3,996,685 parameters. */
export function gmrResnet18(options: GmrResNetOptions = {}): GmrResNet {
  return new GmrResNet('gmrResnet18', BasicBlock, [2, 2, 2, 2], options);
}

/** ResNet-34: blocks of two ring convolutions, 3 + 4 + 6 + 3. */
export function gmrResnet34(options: GmrResNetOptions = {}): GmrResNet {
  return new GmrResNet('gmrResnet34', BasicBlock, [3, 4, 6, 3], options);
}

/** ResNet-50: bottleneck blocks, 3 + 4 + 6 + 3. */
export function gmrResnet50(options: GmrResNetOptions = {}): GmrResNet {
  return new GmrResNet('gmrResnet50', Bottleneck, [3, 4, 6, 3], options);
}
