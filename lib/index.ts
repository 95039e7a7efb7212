// For consumers whose library has no Symbol.dispose: declarations mention it.
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * GMR convolution for Node: convolution whose kernels are Gaussian-mixture rings (arXiv 2504.02819), with autograd.
 * @packageDocumentation
 */
export { GmrError, type GmrErrorCode } from './errors.js';
export { Device, device, emptyCache, memory, resetPeakMemory, type DeviceSpec } from './device.js';
export type { MemoryStats } from '../binding.js';
export { scope, tensor, Tensor, type DType, type NestedNumbers, type Shape, type TensorOptions } from './tensor.js';
export { grad, isGradEnabled, noGrad } from './autograd.js';
export { doctor, type BackendCheck, type DoctorReport } from './doctor/index.js';
export { getFloat32MatmulPrecision, setFloat32MatmulPrecision, type Float32MatmulPrecision } from './precision.js';
export { profile, type ProfileRow } from './profile.js';
export * as ops from './ops/index.js';
export * as nn from './nn/index.js';
export * as models from './models/index.js';
export * as optim from './optim/index.js';
export * as io from './io/index.js';
export { defaultGenerator, Generator, manualSeed } from './random.js';
