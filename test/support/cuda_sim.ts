// The switches and findings of the CUDA interpreter (native/testing/cuda_sim/cuda_sim.h).
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { addonPath } from '../../lib/native.js';

interface Control {
  open(library: string): void;
  /** All faults since the last reset, empty where there were none. */
  report(): string;
  /** Forgets faults, sticky errors and planned failures. */
  reset(): void;
  /** `<launches> <mangled name>`, a kernel a line. */
  kernels(): string;
  /** What was not given back, a line each: device and pinned memory, streams, events. */
  leaks(): string;
  /** What kernels that were never launched need and the interpreter lacks. */
  unsupported(): string;
  /** What ptxas gave each kernel for each target, a line each: see gmr_cuda_sim_resources. */
  resources(): string;
  /** Blocks that a multiprocessor holds at a time, by registers a thread, threads and shared memory a block. */
  blocksPerMultiprocessor(arch: number, registers: number, shared: number, threads: number, dynamic: number): number;
  /** Counts what launches cost from now on, or no longer. */
  setCounting(on: boolean): void;
  /** What was counted, a JSON object a line: see gmr_cuda_sim_counters. */
  counters(): string;
  /** Of each launch runs at most so many blocks, 0: all. What the others would write stays unwritten. */
  sampleBlocks(most: number): void;
  /** 0 runs blocks and warps in order, any other number in an order and interleaving of its own. */
  setSeed(seed: number): void;
  /** The nth call from now of a CUDA function (`*`: of any) fails with an error; 0: all calls; -n: the nth and all after it. */
  fail(name: string, nth: number, error: number): void;
  /** The function that met a planned failure since the last reset, '' where none has. */
  failed(): string;
}

/** cudaError_t, those that tests provoke. */
export const cudaError = { memoryAllocation: 2, noDevice: 100, launchFailure: 719 } as const;

const binaries = dirname(addonPath());
let control: Control | undefined;

/**
 * Of the library that gmr.node uses, or of another one instead, which then stays. Only where libgmr_cuda_sim.so was
 * built: see `cudaSim` in devices.ts.
 */
export function cudaSimControl(library = join(binaries, 'libgmr_cuda_sim.so')): Control {
  if (control !== undefined) return control;
  control = createRequire(import.meta.url)(join(binaries, 'testing/gmr_cuda_sim_control.node')) as Control;
  control.open(library);
  return control;
}

/** What `run` resolves to with each of these seeds in turn: in order, and in two orders and interleavings. */
export async function underSchedules<T>(
  run: () => Promise<T>,
  seeds: readonly number[] = [0, 1, 20_111],
): Promise<T[]> {
  const results: T[] = [];
  try {
    for (const seed of seeds) {
      cudaSimControl().setSeed(seed);
      results.push(await run());
    }
  } finally {
    cudaSimControl().setSeed(0);
  }
  return results;
}
