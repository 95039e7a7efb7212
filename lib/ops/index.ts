export { activation } from './activation.js';
export { add } from './add.js';
export { avgPool, type AvgPoolOptions } from './avg_pool.js';
export { globalAvgPool } from './global_avg_pool.js';
export { maxPool, type MaxPoolOptions } from './max_pool.js';
export { pad, type PadMode } from './pad.js';
export { ringExpand, type RingExpandOptions } from './ring_expand.js';
export { ringWeight } from './ring_weight.js';
export { rotate, type RotateOptions } from './rotate.js';
