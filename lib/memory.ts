import type { BufferHandle } from '../binding.js';
import type { Device } from './device.js';
import { Described, expectFunction, fail, isPlainObject } from './errors.js';
import { native } from './native.js';

/**
 * A device buffer with owners: each tensor over it is one. When the last lets go the buffer is given up, in stream order.
 * Owners that are forgotten instead of disposed of are found by the garbage collector, through the handle's finalizer.
 * @internal
 */
export class Storage {
  readonly device: Device;
  readonly handle: BufferHandle;
  private owners = 1;

  constructor(device: Device, handle: BufferHandle) {
    this.device = device;
    this.handle = handle;
  }

  get isShared(): boolean {
    return this.owners > 1;
  }

  retain(): this {
    this.owners += 1;
    return this;
  }

  release(): void {
    this.owners -= 1;
    if (this.owners === 0) native().dispose(this.handle);
  }
}

/** What a scope can free. @internal */
export interface Disposable {
  dispose(): void;
}

const untracked = null;
const scopes: (Set<Disposable> | typeof untracked)[] = [];

/** @internal Puts a new tensor under the innermost scope. */
export function track(tensor: Disposable): void {
  scopes.at(-1)?.add(tensor);
}

/** @internal Takes a tensor out of the innermost scope: it has another owner, or was disposed of. */
export function untrack(tensor: Disposable): void {
  scopes.at(-1)?.delete(tensor);
}

/** @internal Whether the innermost scope would free a tensor: made there, or returned by a scope in it. */
export function isTracked(tensor: Disposable): boolean {
  return scopes.at(-1)?.has(tensor) ?? false;
}

/** @internal Runs `fn` with no scope: what it makes has owners of its own. */
export function withoutScope<T>(fn: () => T): T {
  scopes.push(untracked);
  try {
    return fn();
  } finally {
    scopes.pop();
  }
}

/** The tensors in a result: itself, or the elements and values of arrays and plain objects, which may hold each other. */
function tensorsIn(result: unknown, isTensor: (value: unknown) => value is Disposable): Disposable[] {
  const reached = new Set<unknown>([result]);
  // A set's iteration comes to what is added on the way.
  for (const value of reached) {
    if (isTensor(value)) continue;
    const items: unknown[] = Array.isArray(value) ? value : isPlainObject(value) ? Object.values(value) : [];
    for (const item of items) reached.add(item);
  }
  return [...reached].filter(isTensor);
}

/** @internal Refuses functions that return before their work is done: flags and scopes hold only for synchronous code. */
export function refusePromise(where: string, result: unknown): void {
  if (typeof (result as { then?: unknown } | null)?.then === 'function') {
    // Its own failure, if any, would otherwise be reported as unhandled beside the error thrown here.
    void Promise.resolve(result).catch(() => {});
    fail(
      where,
      'fn',
      'be synchronous (return tensors and await their data outside)',
      new Described('a function that returns a promise'),
    );
  }
}

/** @internal `scope` for any kind of tensor; see tensor.ts for the public one. */
export function runInScope<T>(fn: () => T, isTensor: (value: unknown) => value is Disposable): T {
  expectFunction('scope', 'fn', fn);
  const made = new Set<Disposable>();
  scopes.push(made);
  let kept: Disposable[] = [];
  try {
    const result = fn();
    refusePromise('scope', result);
    kept = tensorsIn(result, isTensor);
    return result;
  } finally {
    scopes.pop();
    for (const tensor of kept) {
      if (made.delete(tensor)) track(tensor);
    }
    for (const tensor of made) tensor.dispose();
  }
}
