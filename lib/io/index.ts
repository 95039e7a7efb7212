export type { HostArray, HostData, HostDType } from './host_array.js';
export { readSafetensors, writeSafetensors, type SafetensorsFile, type Writable } from './safetensors.js';
