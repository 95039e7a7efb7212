// What the model (model.ts) knows of GPUs, each number with its source.

/** A multiprocessor's rates are of warp instructions a clock: results a clock / 32. */
export interface Gpu {
  name: string;
  target: string;
  multiprocessors: number;
  /** Hz. */
  clock: number;
  /** Bytes a second. */
  memory: number;
  /** Bytes a clock, all of L2. */
  l2: number;
  /** Of a multiprocessor: one warp instruction of each a clock. */
  schedulers: number;
  fp32: number;
  fp64: number;
  conversion: number;
  special: number;
  /** Multiply-adds a clock and multiprocessor of the tensor cores, dense. */
  tensor: Record<'tf32' | 'bf16' | 'f16', number>;
  /** What mma.sync reaches of that. */
  mmaSync: number;
}

// "CUDA C++ Programming Guide", table "Throughput of Native Arithmetic Instructions", results a clock and
// multiprocessor: 128 (8.0: 64) fp32, 64 (8.0: 32) fp64, 64 conversions between types of 32 bits, 16 special functions.
const common = { schedulers: 4, conversion: 2, special: 0.5 };

export const gpus: readonly Gpu[] = [
  {
    name: 'H100 SXM',
    target: 'sm_90',
    ...common,
    // "NVIDIA H100 Tensor Core GPU Architecture" and data sheet: 132 multiprocessors, 3.35 TB/s, 67 TFLOP/s of float32,
    // which is 128 a clock and multiprocessor at a boost of 1.98 GHz. Under load the clock is what power allows.
    multiprocessors: 132,
    clock: 1.98e9,
    memory: 3.35e12,
    // As the A100: 8986 GB/s at 1.755 GHz in table 3 of doi:10.1016/j.ultsonch.2023.106546.
    l2: 5120,
    fp32: 4,
    fp64: 2,
    // The same paper: 989 TFLOP/s of bf16, 495 of TF32 at 1.83 GHz.
    tensor: { tf32: 1024, bf16: 2048, f16: 2048 },
    // Reported at 0.5 to 0.65: only wgmma reaches Hopper's peak (arXiv:2402.13499, arXiv:2501.12084).
    mmaSync: 0.62,
  },
  {
    name: 'A100 SXM 80 GB',
    target: 'sm_80',
    ...common,
    // "NVIDIA A100 Tensor Core GPU Architecture": 108 multiprocessors, 1.41 GHz, 19.5 TFLOP/s of float32, 156 of TF32,
    // 312 of bf16, L2 5120 bytes a clock; data sheet of the 80 GB card: 2.039 TB/s.
    multiprocessors: 108,
    clock: 1.41e9,
    memory: 2.039e12,
    l2: 5120,
    fp32: 2,
    fp64: 1,
    tensor: { tf32: 512, bf16: 1024, f16: 1024 },
    mmaSync: 1,
  },
];
