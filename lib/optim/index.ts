export { cosine, type CosineOptions } from './schedule.js';
export {
  SGD,
  type ParameterGroup,
  type ParameterGroupOptions,
  type ParameterSource,
  type SGDOptions,
  type SGDSettings,
  type SGDState,
} from './sgd.js';
