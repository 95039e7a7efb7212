export { activation } from './activation.js';
export { add } from './add.js';
export { reduce, type ReduceOptions } from './reduce.js';
