// From what the interpreter counts of a launch to the time that a GPU would take: of each unit how long it is busy, and
// the largest wins. A model, not a measurement: it sees no latency, so a kernel with few warps is slower than it says,
// and it counts PTX, of which ptxas drops some.
import type { Gpu } from './gpus.js';

interface GlobalTraffic {
  bytes: number;
  usedBytes: number;
  sectors: number;
}

interface SharedTraffic {
  bytes: number;
  wavefronts: number;
  least: number;
}

/** Of one place in the source. */
export interface LineCounts {
  /** `window.cuh:31 (inlined at conv.cuh:7)`. */
  place: string;
  instructions: number;
  global: GlobalTraffic;
  shared: SharedTraffic;
}

/** A line of gmr_cuda_sim_counters: see native/testing/cuda_sim/counters.h. */
export interface LaunchCounts {
  kernel: string;
  /** Target of the PTX that was run: 80 of compute_80. */
  ptx: number;
  grid: readonly number[];
  block: readonly number[];
  dynamicShared: number;
  launches: number;
  /** That were run, of all launches. */
  blocks: number;
  instructions: Readonly<Record<string, number>>;
  tensor: Readonly<Record<string, number>>;
  /** Of global loads: asynchronous copies that do not pass L1. */
  sectorsPastL1: number;
  globalLoads: GlobalTraffic;
  globalStores: GlobalTraffic;
  globalAtomics: GlobalTraffic;
  sharedLoads: SharedTraffic;
  sharedStores: SharedTraffic;
  sharedAtomics: SharedTraffic;
  lines: readonly LineCounts[];
}

export const units = ['issue', 'fp32', 'other', 'shared', 'tensor', 'L2'] as const;
export type Unit = (typeof units)[number];

export interface LaunchTime {
  /** Seconds that each unit is busy, of all launches of this shape. */
  busy: Record<Unit, number>;
  bound: Unit;
  seconds: number;
  /** Blocks of all launches. */
  blocks: number;
  /** See sectorsUsedOf and conflictsOf. */
  sectorsUsed: number;
  conflicts: number;
}

const sectorBytes = 32;
const wavefrontBytes = 128;

/** Slots of a scheduler that an instruction of a class takes, where it is not one. */
const slots: Readonly<Record<string, number>> = { move: 0, integer_wide: 2 };

export function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Share of the bytes of the sectors read and written that warps use; NaN where there are none. */
export function sectorsUsedOf(traffic: readonly GlobalTraffic[]): number {
  return (
    total(traffic.map(({ usedBytes }) => usedBytes)) / (total(traffic.map(({ sectors }) => sectors)) * sectorBytes)
  );
}

/** Wavefronts of shared memory beyond the least, as a share of the least; NaN where there are none. */
export function conflictsOf(traffic: readonly SharedTraffic[]): number {
  return total(traffic.map(({ wavefronts }) => wavefronts)) / total(traffic.map(({ least }) => least)) - 1;
}

/** `m16n8k8 tf32`: multiply-adds of a warp's instruction, and their type. */
function tensorShape(name: string): { fmas: number; type: keyof Gpu['tensor'] } {
  const [, m, n, k, type] = /^m(\d+)n(\d+)k(\d+) (tf32|bf16|f16)$/.exec(name) ?? [];
  if (type === undefined) throw new Error(`expected a shape and type of the tensor cores, received '${name}'`);
  return { fmas: Number(m) * Number(n) * Number(k), type: type as keyof Gpu['tensor'] };
}

export function launchTime(counts: LaunchCounts, gpu: Gpu): LaunchTime {
  const grid = counts.grid.reduce((product, extent) => product * extent, 1);
  const blocks = grid * counts.launches;
  const scale = blocks / counts.blocks;
  // The multiprocessor with the most blocks ends last.
  const share = (Math.ceil(grid / gpu.multiprocessors) / grid) * scale;
  const seconds = (warpInstructions: number, rate: number): number => (warpInstructions * share) / rate / gpu.clock;
  const of = (...classes: string[]): number =>
    total(classes.map((name) => (counts.instructions[name] ?? 0) * (slots[name] ?? 1)));
  const traffic = [counts.globalLoads, counts.globalStores, counts.globalAtomics];
  const shared = [counts.sharedLoads, counts.sharedStores, counts.sharedAtomics];
  const sectors = total(traffic.map((each) => each.sectors));
  const wavefronts = total(shared.map((each) => each.wavefronts));
  const tensorClocks = total(
    Object.entries(counts.tensor).map(([name, count]) => {
      const { fmas, type } = tensorShape(name);
      return (count * fmas) / gpu.tensor[type] / gpu.mmaSync;
    }),
  );
  const busy: Record<Unit, number> = {
    issue: seconds(of(...Object.keys(counts.instructions)), gpu.schedulers),
    // Integers have no line of their own: ptxas spreads them over two pipes, so that the issue is their limit.
    fp32: seconds(of('fp32'), gpu.fp32),
    other: Math.max(
      seconds(of('special'), gpu.special),
      seconds(of('conversion'), gpu.conversion),
      seconds(of('fp64'), gpu.fp64),
    ),
    // L1 and shared memory are one memory of 128 bytes a clock. Copies past L1 are only written there (PTX ISA, cp.async).
    shared: seconds(wavefronts + ((sectors - counts.sectorsPastL1) * sectorBytes) / wavefrontBytes, 1),
    tensor: seconds(tensorClocks, 1),
    L2: (sectors * sectorBytes * scale) / gpu.l2 / gpu.clock,
  };
  const bound = units.reduce((largest, unit) => (busy[unit] > busy[largest] ? unit : largest));
  return {
    busy,
    bound,
    seconds: busy[bound],
    blocks,
    sectorsUsed: sectorsUsedOf(traffic),
    conflicts: conflictsOf(shared),
  };
}

export interface PassTime {
  seconds: number;
  bound: Unit | 'memory';
}

/** A pass's launches come one after the other; memory moves `bytes` at least, and that goes on beside. */
export function passTime(launches: readonly LaunchTime[], bytes: number, gpu: Gpu): PassTime {
  const inKernels = total(launches.map(({ seconds }) => seconds));
  const inMemory = bytes / gpu.memory;
  if (inMemory > inKernels) return { seconds: inMemory, bound: 'memory' };
  const longest = launches.reduce((a, b) => (b.seconds > a.seconds ? b : a));
  return { seconds: inKernels, bound: longest.bound };
}

export interface PassWork {
  /** Multiply-adds of the product. */
  fmas: number;
  /** Of ring sums. */
  additions: number;
  /** That have to be read and written once each. */
  bytes: number;
}

/**
 * Least time of a pass: units work beside each other, products on the tensor cores where a type is given, at what mma.sync
 * reaches of their peak, since kernels have no other instruction for them.
 */
export function floorTime(work: PassWork, gpu: Gpu, type?: keyof Gpu['tensor']): PassTime {
  const warpLanes = 32;
  const clocks = gpu.multiprocessors * gpu.clock;
  const lanes = work.additions + (type === undefined ? work.fmas : 0);
  const all: PassTime[] = [
    { bound: 'memory', seconds: work.bytes / gpu.memory },
    { bound: 'fp32', seconds: lanes / (gpu.fp32 * warpLanes * clocks) },
    { bound: 'tensor', seconds: type === undefined ? 0 : work.fmas / (gpu.tensor[type] * gpu.mmaSync * clocks) },
  ];
  return all.reduce((a, b) => (b.seconds > a.seconds ? b : a));
}
