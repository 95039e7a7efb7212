// The typed contract with native code: what build/Release/gmr.node exports. lib/native.ts alone loads it.
// Each entry of PassParams is one line of native/ops/ops.def; the fields are those that native/ops/<op>/<op>_binding.cc reads.

/** A device buffer. Only native code looks inside. */
export interface BufferHandle {
  readonly __brand: 'buffer';
}

/** An open device. Only native code looks inside. */
export interface DeviceHandle {
  readonly __brand: 'device';
}

export interface OpenedDevice {
  handle: DeviceHandle;
  kind: string;
  level: string;
  threads: number;
}

export interface MemoryStats {
  /** Buffers and bytes that tensors, or work that is queued, hold now. */
  buffers: number;
  bytes: number;
  /** The most bytes at one time since the start or the last reset. */
  peakBytes: number;
  /** Bytes taken from the system, and how many of these are free for the next tensor. */
  reservedBytes: number;
  cachedBytes: number;
}

export interface ProfileEntry {
  label: number;
  pass: string;
  count: number;
  ms: number;
}

/** Extents of three spatial axes, depth, height, width; axes that a tensor lacks have extent 1. */
export type Triple = readonly [number, number, number];

interface BatchNormExtents {
  batch: number;
  channels: number;
  pixels: number;
}

interface BatchNormAffine extends BatchNormExtents {
  x: BufferHandle;
  weight: BufferHandle | null;
  bias: BufferHandle | null;
  residual: BufferHandle | null;
  y: BufferHandle;
  mean: BufferHandle;
  inverseStd: BufferHandle;
  eps: number;
  relu: boolean;
}

interface CrossEntropyInputs {
  logits: BufferHandle;
  targets: BufferHandle;
  rows: number;
  classes: number;
  divisor: number;
  labelSmoothing: number;
}

interface ReduceExtents {
  outer: number;
  reduced: number;
  inner: number;
  divisor: number;
}

export interface PassParams {
  activation_forward: { x: BufferHandle; y: BufferHandle; count: number; slope: number };
  activation_backward_input: { y: BufferHandle; dy: BufferHandle; dx: BufferHandle; count: number; slope: number };
  add_forward: { a: BufferHandle; b: BufferHandle; y: BufferHandle; count: number };
  batch_norm_forward: BatchNormAffine & {
    runningMean: BufferHandle | null;
    runningVariance: BufferHandle | null;
    momentum: number;
  };
  batch_norm_forward_inference: BatchNormAffine & { runningMean: BufferHandle; runningVariance: BufferHandle };
  batch_norm_backward_input: BatchNormExtents & {
    x: BufferHandle;
    y: BufferHandle | null;
    weight: BufferHandle | null;
    mean: BufferHandle;
    inverseStd: BufferHandle;
    dy: BufferHandle;
    dx: BufferHandle | null;
    dweight: BufferHandle | null;
    dbias: BufferHandle | null;
    dresidual: BufferHandle | null;
    training: boolean;
  };
  cross_entropy_forward: CrossEntropyInputs & { loss: BufferHandle };
  cross_entropy_backward_input: CrossEntropyInputs & { dy: BufferHandle; dlogits: BufferHandle };
  reduce_forward: ReduceExtents & { x: BufferHandle; y: BufferHandle };
  reduce_backward_input: ReduceExtents & { dy: BufferHandle; dx: BufferHandle };
  sgd_step: {
    parameter: BufferHandle;
    gradient: BufferHandle;
    velocity: BufferHandle | null;
    count: number;
    learningRate: number;
    momentum: number;
    dampening: number;
    weightDecay: number;
    nesterov: boolean;
    firstStep: boolean;
  };
}

export type PassName = keyof PassParams;

/** The stems of all ops, e.g. 'ring_conv'. */
export type OpStem = {
  [P in PassName]: P extends `${infer Op}_forward` ? Op : P extends `${infer Op}_step` ? Op : never;
}[PassName];

export type Binding = {
  openDevice(kind: string): OpenedDevice;
  /** CPU levels for which a library is there and that the processor supports, best first. */
  cpuLevels(): string[];
  createBuffer(device: DeviceHandle, bytes: number): BufferHandle;
  /** Copies now; the array may be changed afterwards. */
  upload(device: DeviceHandle, data: Float32Array | Int32Array): BufferHandle;
  /** Gives the handle's share up; the memory goes when queued work that uses it is done. */
  dispose(buffer: BufferHandle): void;
  read(device: DeviceHandle, buffer: BufferHandle): Promise<ArrayBuffer>;
  memory(device: DeviceHandle): MemoryStats;
  emptyCache(device: DeviceHandle): void;
  resetPeak(device: DeviceHandle): void;
  profileStart(device: DeviceHandle): void;
  profileStop(device: DeviceHandle): ProfileEntry[];
} & {
  [P in PassName]: (device: DeviceHandle, params: PassParams[P], label: number) => void;
};
