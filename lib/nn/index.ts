export { LeakyReLU, ReLU } from './activation.js';
export { BatchNorm1d, BatchNorm2d, BatchNorm3d, type BatchNormLayerOptions, type Fused } from './batch_norm.js';
export { Conv1d, Conv2d, Conv3d } from './conv.js';
export type { ConvLayerOptions } from './conv_base.js';
export { GMRConv1d, GMRConv2d, GMRConv3d, type GMRConvOptions } from './gmr_conv.js';
export {
  GMRConvTranspose1d,
  GMRConvTranspose2d,
  GMRConvTranspose3d,
  type GMRConvTransposeOptions,
} from './gmr_conv_transpose.js';
export { kaimingNormalFanOut, uniformFanIn, type Fans, type LayerOptions, type WeightInit } from './init.js';
export { Linear, type LinearOptions } from './linear.js';
export { Module, type AnyModule } from './module.js';
export { AvgPool1d, AvgPool2d, AvgPool3d, GlobalAvgPool, MaxPool1d, MaxPool2d, MaxPool3d } from './pooling.js';
export type { RingOptions } from './ring_kernel.js';
export { Identity, Sequential } from './sequential.js';
export {
  Counter,
  type StateCheck,
  type StateDict,
  type StateEntry,
  type StateSource,
  type StateTarget,
} from './state_dict.js';
