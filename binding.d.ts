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
  /** As its maker calls it; empty for the host's processor. */
  name: string;
  /** The device's own memory; 0 where it is the host's. */
  memoryBytes: number;
  /** Libraries of better CPU levels that should load and do not, a line each; empty where there are none. */
  passedOver: string;
}

export interface LibraryState {
  /** What stands against it, as an error's code and in words; empty where it can be used. */
  code: '' | 'backend_missing' | 'backend_broken' | 'device_unavailable';
  problem: string;
  /** What the library says of its making. */
  build: string;
}

export interface MemoryStats {
  /** Buffers that tensors, or work that is queued, hold now, also those that have no memory yet. */
  buffers: number;
  /** Bytes of those that have their memory: a buffer gets it when what writes it runs, and none where that failed. */
  bytes: number;
  /** The most bytes at one time since the start or the last reset. */
  peakBytes: number;
  /** Bytes taken from the system, and how many of these are free for the next tensor. */
  reservedBytes: number;
  cachedBytes: number;
  /** The most bytes that all threads of the process together may take of this memory. */
  limitBytes: number;
}

export interface ProfileEntry {
  label: number;
  pass: string;
  count: number;
  ms: number;
}

/** Extents of three spatial axes, depth, height, width; axes that a tensor lacks have extent 1. */
export type Triple = readonly [number, number, number];

/** native/backend/element_type.h: what the activations of a pass, x, y, dy, dx and residual, hold; 0 float32, 1 bfloat16. */
export interface ElementType {
  type: number;
}

/** native/ops/conv/conv_geometry.h */
export interface ConvGeometry {
  n: number;
  c: number;
  o: number;
  groups: number;
  in: Triple;
  out: Triple;
  kernel: Triple;
  stride: Triple;
  dilation: Triple;
  padding: Triple;
}

/** What the passes of convolutions share. */
export interface ConvPass extends ConvGeometry, ElementType {
  /** native/ops/conv/float32_precision.h */
  precision: number;
}

/** native/ops/conv/epilogue.h */
export type Epilogue = { bias: BufferHandle | null } & (
  | { normalises: false }
  | { normalises: true; mean: BufferHandle; scale: BufferHandle; shift: BufferHandle | null; relu: boolean }
);

/** native/ops/ring_conv/ring_conv.h, RingKernel */
export interface RingKernel {
  rings: number;
  firstSide: number;
  circular: boolean;
}

/** The windows of the pooling passes. */
export interface PoolGeometry extends ElementType {
  planes: number;
  input: Triple;
  kernel: Triple;
  stride: Triple;
  padding: Triple;
  dilation: Triple;
}

export interface PadGeometry extends ElementType {
  planes: number;
  input: Triple;
  low: Triple;
  high: Triple;
  /** 0 zeros, 1 reflect, 2 replicate, 3 circular. */
  mode: number;
}

export interface RotateGeometry extends ElementType {
  planes: number;
  extent: Triple;
  /** Indices into `extent`, the first less than the second. */
  rowAxis: number;
  columnAxis: number;
  /** -1: none. */
  flipAxis: number;
  cosine: number;
  sine: number;
}

/** The rings of a kernel, by ring_expand_*. */
export interface RingExpandGeometry {
  rows: number;
  rings: number;
  kernel: Triple;
  firstSide: number;
  circular: boolean;
}

interface BatchNormExtents extends ElementType {
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

interface CrossEntropyInputs extends ElementType {
  logits: BufferHandle;
  targets: BufferHandle;
  rows: number;
  classes: number;
  divisor: number;
  labelSmoothing: number;
}

interface ReduceExtents {
  /** Of x and dx, and of y and dy. */
  xType: number;
  yType: number;
  outer: number;
  reduced: number;
  inner: number;
  divisor: number;
}

/** native/ops/sgd/sgd.h */
export interface SgdTensors {
  parameter: BufferHandle;
  gradient: BufferHandle;
  velocity: BufferHandle | null;
  count: number;
  weightDecay: number;
  firstStep: boolean;
}

export interface PassParams {
  activation_forward: ElementType & { x: BufferHandle; y: BufferHandle; count: number; slope: number };
  activation_backward_input: ElementType & {
    y: BufferHandle;
    dy: BufferHandle;
    dx: BufferHandle;
    count: number;
    slope: number;
  };
  add_forward: ElementType & { a: BufferHandle; b: BufferHandle; y: BufferHandle; count: number };
  avg_pool_forward: { x: BufferHandle; y: BufferHandle; countIncludesPadding: boolean } & PoolGeometry;
  avg_pool_backward_input: { dy: BufferHandle; dx: BufferHandle; countIncludesPadding: boolean } & PoolGeometry;
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
  batch_norm_scale: {
    weight: BufferHandle | null;
    runningVariance: BufferHandle;
    scale: BufferHandle;
    channels: number;
    eps: number;
  };
  cast_forward: { x: BufferHandle; y: BufferHandle; xType: number; yType: number; count: number };
  conv_forward: ConvPass & Epilogue & { x: BufferHandle; w: BufferHandle; y: BufferHandle };
  conv_backward_input: ConvPass & {
    dy: BufferHandle;
    w: BufferHandle;
    bias: BufferHandle | null;
    dx: BufferHandle;
  };
  conv_backward_weight: ConvPass & { x: BufferHandle; dy: BufferHandle; dw: BufferHandle };
  cross_entropy_forward: CrossEntropyInputs & { loss: BufferHandle };
  cross_entropy_backward_input: CrossEntropyInputs & { dy: BufferHandle; dlogits: BufferHandle };
  global_avg_pool_forward: ElementType & { x: BufferHandle; y: BufferHandle; planes: number; extent: number };
  global_avg_pool_backward_input: ElementType & { dy: BufferHandle; dx: BufferHandle; planes: number; extent: number };
  max_pool_forward: { x: BufferHandle; y: BufferHandle; indices: BufferHandle | null } & PoolGeometry;
  max_pool_backward_input: { dy: BufferHandle; indices: BufferHandle; dx: BufferHandle } & PoolGeometry;
  pad_forward: { x: BufferHandle; y: BufferHandle } & PadGeometry;
  pad_backward_input: { dy: BufferHandle; dx: BufferHandle } & PadGeometry;
  reduce_forward: ReduceExtents & { x: BufferHandle; y: BufferHandle };
  reduce_backward_input: ReduceExtents & { dy: BufferHandle; dx: BufferHandle };
  ring_conv_forward: ConvPass & RingKernel & Epilogue & { x: BufferHandle; v: BufferHandle; y: BufferHandle };
  ring_conv_backward_input: ConvPass &
    RingKernel & { dy: BufferHandle; v: BufferHandle; bias: BufferHandle | null; dx: BufferHandle };
  ring_conv_backward_weight: ConvPass & RingKernel & { x: BufferHandle; dy: BufferHandle; dv: BufferHandle };
  ring_expand_forward: { v: BufferHandle; y: BufferHandle } & RingExpandGeometry;
  ring_expand_backward_input: { dy: BufferHandle; dv: BufferHandle } & RingExpandGeometry;
  ring_weight_forward: {
    weight: BufferHandle;
    logSigmas: BufferHandle;
    v: BufferHandle;
    rows: number;
    rings: number;
  };
  ring_weight_backward_input: {
    weight: BufferHandle;
    logSigmas: BufferHandle;
    dv: BufferHandle;
    dweight: BufferHandle | null;
    dlogSigmas: BufferHandle | null;
    rows: number;
    rings: number;
  };
  rotate_forward: { x: BufferHandle; y: BufferHandle } & RotateGeometry;
  rotate_backward_input: { dy: BufferHandle; dx: BufferHandle } & RotateGeometry;
  sgd_step: {
    tensors: readonly SgdTensors[];
    learningRate: number;
    momentum: number;
    dampening: number;
    nesterov: boolean;
  };
}

export type PassName = keyof PassParams;

/** The stems of all ops, e.g. 'ring_conv'. */
export type OpStem = {
  [P in PassName]: P extends `${infer Op}_forward` ? Op : P extends `${infer Op}_step` ? Op : never;
}[PassName];

export type Binding = {
  /** What the process's control groups leave to it, null: all; `root` stands for `/`, '' but in tests. */
  cgroupLimits(root: string): { memoryBytes: number | null; cpus: number | null };
  /** How many devices of a kind there are; `problem` says why none, and is empty otherwise. */
  deviceCount(kind: string): { count: number; problem: string };
  /**
   * Off the event loop: a driver may take a second to start. With `check`, a device that was not open has to pass its
   * self-check, a small ring convolution against the processor's; the code is `device_failure` where it does not.
   */
  openDevice(kind: string, index: number, check: boolean): Promise<OpenedDevice>;
  openDeviceSync(kind: string, index: number, check: boolean): OpenedDevice;
  /** The CPU levels that there are for this architecture, best first, and their libraries. Loads none. */
  cpuLevels(): { name: string; library: string }[];
  /** Loads the library of a level. */
  tryCpuLevel(name: string): LibraryState;
  /** What gmr.node, or the library of a kind of GPU, says of its making: source commit and compilers; '' where there is none. */
  build(kind?: string): string;
  createBuffer(device: DeviceHandle, bytes: number): BufferHandle;
  /** Copies now; the array may be changed afterwards. */
  upload(device: DeviceHandle, data: Float32Array | Int32Array | Uint16Array): BufferHandle;
  /** Makes one buffer hold the bytes of another of the same size, in stream order; profiles show it as `copy`. */
  copy(device: DeviceHandle, source: BufferHandle, destination: BufferHandle, label: number): void;
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
