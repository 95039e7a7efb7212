export { activation } from './activation.js';
export { add } from './add.js';
export { batchNorm, type BatchNormOptions, type RunningStatistics } from './batch_norm.js';
export { crossEntropy, type CrossEntropyOptions } from './cross_entropy.js';
export { reduce, type ReduceOptions } from './reduce.js';
export { sgd, type SgdOptions } from './sgd.js';
