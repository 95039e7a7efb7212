export { activation } from './activation.js';
export { add } from './add.js';
