export { activation } from './activation.js';
export { add } from './add.js';
export { conv, convTranspose } from './conv.js';
export type { ConvOptions, ConvTransposeOptions } from './conv_geometry.js';
export { ringConv, ringConvTranspose, type RingConvOptions, type RingConvTransposeOptions } from './ring_conv.js';
export { ringExpand, type RingExpandOptions } from './ring_expand.js';
export { ringWeight } from './ring_weight.js';
