// What an op's bench file lists, and the helpers that it lists with. A case is one of the op's test suite, of a size that is worth
// timing: the same inputs and options, run by the same function. test/bench/cases.test.ts holds each against the oracle.
import type { OpCase, OpSuite } from '../../test/support/op_suite.js';

/** What one call has to do, counted from the formulas, whatever the kernels really do. */
export interface Work {
  /** Multiplications and additions of the product, 2 a multiply-add; the operations of an elementwise op. */
  flops: number;
  /** Additions beside the product: ring sums. */
  additions?: number;
  /** Bytes that have to be read and written once each. */
  bytes: number;
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

export interface BenchCase<Options = unknown> extends OpCase<Options> {
  /** Which of the machine's limits is the floor: arithmetic (product, then additions) or memory bandwidth. */
  bound: 'arithmetic' | 'memory';
  forward: Work;
  /** Forward and all gradients; left out where there is no gradient to time. */
  train?: Work;
  /** Inputs, by argument name, that hold one value; others are uniform in [-1, 1). */
  filled?: Readonly<Record<string, number>>;
  peers?: readonly PeerCase[];
  targets?: Targets;
}

/** A memory-bound case that touches less may be served by caches; the bandwidth of memory is then no floor to it. */
export const beyondCachesBytes = 128 * 2 ** 20;

export interface BenchSuite<Options = unknown> {
  /** The op's test suite, which runs the cases. */
  test: OpSuite<Options>;
  cases: readonly BenchCase<Options>[];
}

/** A suite whose cases' options are those of its tests. */
export function benchSuite<Options>(test: OpSuite<Options>, cases: readonly BenchCase<Options>[]): BenchSuite<Options> {
  return { test, cases };
}

export type OptionsOf<Suite> = Suite extends OpSuite<infer Options> ? Options : never;

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
