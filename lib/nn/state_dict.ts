// State dicts: named arrays that a module or an optimiser takes over, all or nothing.
import { GmrError, show } from '../errors.js';
import { isHostArray, naturalDType, type HostArray } from '../io/host_array.js';
import { copyInto, sameShape, Tensor, tensor, type Shape } from '../tensor.js';

/** One value of a state dict. A scalar count is an int64 array of shape []. */
export type StateEntry = Tensor | HostArray;

export type StateDict = Record<string, StateEntry>;

/** What can be loaded: a state dict, or the `tensors` of a file. */
export type StateSource = Readonly<Record<string, StateEntry>> | ReadonlyMap<string, StateEntry>;

/** A count that lives in host memory, e.g. of the batches seen. */
export class Counter {
  value = 0;
}

/** What a state dict is loaded into. */
export type StateTarget = Tensor | Counter;

const scalar: Shape = [];

function shapeText(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Why `entry` cannot be loaded into `target`; undefined when it can. */
function mismatch(target: StateTarget, entry: StateEntry): string | undefined {
  const shape = target instanceof Tensor ? target.shape : scalar;
  if (!sameShape(entry.shape, shape)) return `has shape ${shapeText(entry.shape)}, expected ${shapeText(shape)}`;
  if (!(entry instanceof Tensor)) {
    const isCount = (value: unknown): boolean => Number.isSafeInteger(Number(value)) && Number(value) >= 0;
    if (target instanceof Counter) return isCount(entry.data[0]) ? undefined : `is ${entry.data[0]}, expected a count`;
    return target.dtype === 'int32' && entry.dtype !== 'I32' ? `is ${entry.dtype}, expected I32` : undefined;
  }
  if (entry.isDisposed) return 'was disposed of';
  if (target instanceof Counter) return 'is a count: expected an array in host memory';
  if (entry.dtype !== target.dtype) return `is ${entry.dtype}, expected ${target.dtype}`;
  if (entry.device !== target.device) return `is on ${entry.device.toString()}, expected ${target.device.toString()}`;
  return undefined;
}

/** How a state dict fits. */
export interface StateCheck {
  /** Targets without an entry, and entries without a target. */
  missing: string[];
  unexpected: string[];
}

/**
 * Checks a source against its targets, changing nothing.
 * @param derived Shapes of entries that may be there and are ignored.
 * @param allowed Whether entries may be missing, and whether others may be there.
 * @throws GmrError `state_dict_mismatch`, which lists everything that is wrong.
 */
export function checkState(
  where: string,
  targets: ReadonlyMap<string, StateTarget>,
  source: ReadonlyMap<string, StateEntry>,
  derived: ReadonlyMap<string, Shape>,
  allowed: { missing: boolean; unexpected: boolean },
): StateCheck {
  const missing = [...targets.keys()].filter((name) => !source.has(name));
  const unexpected: string[] = [];
  const problems: string[] = [];
  for (const [name, entry] of source) {
    if (!(entry instanceof Tensor) && !isHostArray(entry)) {
      problems.push(
        `${name} is ${show(entry)}, expected a Tensor or { dtype, shape, data } whose data fills its shape`,
      );
      continue;
    }
    const target = targets.get(name);
    const ignored = derived.get(name);
    if (target !== undefined) {
      const problem = mismatch(target, entry);
      if (problem !== undefined) problems.push(`${name} ${problem}`);
    } else if (ignored === undefined) {
      unexpected.push(name);
    } else if (!sameShape(entry.shape, ignored)) {
      problems.push(`${name} has shape ${shapeText(entry.shape)}, expected ${shapeText(ignored)}`);
    }
  }
  if (!allowed.unexpected) problems.unshift(...unexpected.map((name) => `${name} is unexpected`));
  if (!allowed.missing) problems.unshift(...missing.map((name) => `${name} is missing`));
  if (problems.length > 0) {
    const message = `[${where}] the state dict does not fit, nothing was loaded:\n  ${problems.join('\n  ')}`;
    throw new GmrError('state_dict_mismatch', message);
  }
  return { missing, unexpected };
}

/** Its values in the target's dtype, which `mismatch` has compared. */
function convert({ data }: HostArray, { dtype }: Tensor): Float32Array | Int32Array {
  const stored = naturalDType(data);
  if (stored === 'F32' || (dtype === 'int32' && stored === 'I32')) return data as Float32Array | Int32Array;
  return stored === 'I64' ? Float32Array.from(data as BigInt64Array, Number) : Float32Array.from(data as Float64Array);
}

/** Loads checked entries into their targets. Everything that can fail comes before the first change. */
export function loadState(pairs: readonly (readonly [StateTarget, StateEntry])[]): void {
  const uploaded: Tensor[] = [];
  try {
    const tensors: (readonly [Tensor, Tensor])[] = [];
    const counts: (readonly [Counter, number])[] = [];
    for (const [target, entry] of pairs) {
      if (target instanceof Tensor) {
        const values =
          entry instanceof Tensor
            ? entry
            : tensor(convert(entry, target), entry.shape, { device: target.device, dtype: target.dtype });
        if (values !== entry) uploaded.push(values);
        tensors.push([target, values]);
      } else {
        counts.push([target, Number((entry as HostArray).data[0])]);
      }
    }
    for (const [target, values] of tensors) copyInto(target, values);
    for (const [counter, value] of counts) counter.value = value;
  } finally {
    for (const values of uploaded) values.dispose();
  }
}

/** The value of a target as a state dict holds it: the tensor itself, or a count as an int64 scalar. */
export function stateEntry(target: StateTarget): StateEntry {
  if (target instanceof Tensor) return target;
  return { dtype: 'I64', shape: scalar, data: BigInt64Array.of(BigInt(target.value)) };
}
