export { activation } from './activation.js';
export { add } from './add.js';
export { ringExpand, type RingExpandOptions } from './ring_expand.js';
export { ringWeight } from './ring_weight.js';
