// What an op's bench file lists, and the helpers that it lists with.
import type { OpStem } from '../../binding.js';
import * as gmr from '../../lib/index.js';

/** What one call has to do, counted from the formulas, whatever the kernels really do. */
export interface Work {
  /** Multiplications and additions of the product, 2 a multiply-add; the operations of an elementwise op. */
  flops: number;
  /** Additions beside the product: ring sums. */
  additions?: number;
  /** Bytes that have to be read and written once each. */
  bytes: number;
}

/** Makes a case's tensors, seeded. */
export interface Maker {
  /** Uniform in [-1, 1). */
  constant(shape: readonly number[]): gmr.Tensor;
  /** The same, and the train step computes its gradient. */
  leaf(shape: readonly number[]): gmr.Tensor;
  filled(shape: readonly number[], value: number): gmr.Tensor;
  /** Integers in [0, below). */
  integers(shape: readonly number[], below: number): gmr.Tensor;
}

/** One convolution of the peer's model: stride 1, zero padding that keeps the extents. */
export interface PeerLayer {
  outputs: number;
  kernel: readonly number[];
  groups?: number;
}

export type PeerName = 'dense 3' | 'dense k' | 'depthwise k + 1x1';

/** What the peer computes in the same rounds. */
export interface PeerCase {
  name: PeerName;
  input: readonly number[];
  layers: readonly PeerLayer[];
}

/** Limits that the case has to keep; each is printed with what was measured. */
export interface Targets {
  /** Least fraction of the floor that the forward pass reaches. */
  floorFraction?: number;
  /** Most that the forward pass takes, in times of the peer. */
  peers?: Partial<Record<PeerName, number>>;
  /** Most that the train step takes, in times of the forward pass. */
  trainOverForward?: number;
}

export interface BenchCase {
  name: string;
  /** Which of the machine's limits is the floor: arithmetic (product, then additions) or memory bandwidth. */
  bound: 'arithmetic' | 'memory';
  forward: Work;
  /** Forward and all gradients; left out where there is no gradient to time. */
  train?: Work;
  /** Makes the tensors and returns what queues the op once. */
  setup(make: Maker): () => gmr.Tensor | void;
  peers?: readonly PeerCase[];
  targets?: Targets;
}

/** A memory-bound case that touches less may be served by caches; the bandwidth of memory is then no floor to it. */
export const beyondCachesBytes = 128 * 2 ** 20;

export interface BenchSuite {
  op: OpStem;
  cases: readonly BenchCase[];
}

export function product(extents: readonly number[]): number {
  return extents.reduce((n, extent) => n * extent, 1);
}

/** Bytes of float32 (or int32) tensors of these shapes. */
export function bytesOf(...shapes: (readonly number[])[]): number {
  return shapes.reduce((bytes, shape) => bytes + 4 * product(shape), 0);
}

/** `56^2`, or `28x30` where the extents differ. */
export function extentsName(extents: readonly number[]): string {
  const [first] = extents;
  return extents.every((extent) => extent === first) && extents.length > 1
    ? `${first}^${extents.length}`
    : extents.join('x');
}

/** Elementwise and pooling cases: one shape far beyond the caches, where bandwidth is the limit, and one of the size that networks have. */
export const memoryShapes: readonly (readonly [number, number, number, number])[] = [
  [32, 64, 112, 112],
  [8, 64, 56, 56],
];
