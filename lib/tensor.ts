import type { BufferHandle, PassName, PassParams } from '../binding.js';
import { backward, record, type GradNode } from './autograd.js';
import { roundToBfloat16, widenBfloat16 } from './bfloat16.js';
import { defaultDevice, Device, resolveDevice, type DeviceSpec } from './device.js';
import { Described, expectArray, expectBoolean, expectInteger, expectOptions, fail, isPlainObject } from './errors.js';
import { inspectMethod } from './inspect.js';
import { runInScope, Storage, track, untrack } from './memory.js';
import { attempt, native, toGmrError } from './native.js';
import { currentLabel } from './profile.js';
import { typedArrayKind } from './typed_array.js';

export type DType = 'float32' | 'bfloat16' | 'int32';
export type Shape = readonly number[];
export type NestedNumbers = number | readonly NestedNumbers[];

export interface TensorOptions {
  /** Default: the device that `'auto'` stands for. */
  device?: Device | DeviceSpec;
  /**
   * Default: as of the data. `'bfloat16'` for activations of half the memory and of 8 digits of binary: numbers and a Float32Array
   * are rounded, a Uint16Array holds the bits (and needs it).
   */
  dtype?: DType;
  /** Whether `backward()` should leave a gradient in `.grad`. Default false. */
  requiresGrad?: boolean;
}

/**
 * An n-dimensional array on a device, contiguous, last axis fastest. Work on it is queued; `data()` and `item()` await it.
 *
 * Memory: `dispose()`, `using` and `scope` free it at once (in stream order, so work already queued is safe); a tensor that is
 * forgotten is freed when the garbage collector finds it, which may be late.
 */
export class Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: Device;
  /** @internal How it was computed, when that is differentiable. */
  node: GradNode | undefined;

  private storage: Storage | undefined;
  private leafRequiresGrad = false;
  private gradient: Tensor | null = null;

  /** @internal Use `tensor()`. Takes over one ownership of `storage`. */
  constructor(storage: Storage, shape: Shape, dtype: DType) {
    if (!(storage instanceof Storage)) fail('Tensor', 'storage', 'come from tensor()', storage);
    this.storage = storage;
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.device = storage.device;
    track(this);
  }

  /** Number of elements. */
  get size(): number {
    return elementCount(this.shape);
  }

  /** Whether gradients flow to this tensor: set on leaves, derived on results. */
  get requiresGrad(): boolean {
    return this.leafRequiresGrad || this.node !== undefined;
  }

  set requiresGrad(value: boolean) {
    if (this.node !== undefined)
      fail('tensor', 'requiresGrad', 'be set on a leaf only', new Described('a computed tensor'));
    if (expectBoolean('tensor', 'requiresGrad', value) && this.dtype === 'int32')
      fail('tensor', 'requiresGrad', 'be set on float32 or bfloat16 only', this.dtype);
    this.leafRequiresGrad = value;
  }

  /** The gradient that `backward()` accumulated, for tensors made with `requiresGrad`; else null. */
  get grad(): Tensor | null {
    return this.gradient;
  }

  set grad(value: Tensor | null) {
    if (value !== null)
      expectTensor('tensor', 'grad', value, { shape: this.shape, device: this.device, dtype: this.dtype });
    this.gradient = value;
  }

  get isDisposed(): boolean {
    return this.storage === undefined;
  }

  /** @internal */
  live(where: string, argument = 'tensor'): Storage {
    if (this.storage === undefined) {
      const what = `a tensor of shape [${this.shape.join(', ')}] that was disposed of`;
      fail(where, argument, 'be live', new Described(what), 'disposed');
    }
    return this.storage;
  }

  /**
   * The elements, in order, in a new array, once everything queued before has run; those of bfloat16 widened to float32.
   * @throws GmrError the first failure of queued work, with the op's name.
   */
  async data(): Promise<Float32Array | Int32Array> {
    const storage = this.live('data');
    let bytes;
    try {
      bytes = await native().read(this.device.handle, storage.handle);
    } catch (error) {
      throw toGmrError(error);
    }
    if (this.dtype === 'bfloat16') return widenBfloat16(new Uint16Array(bytes, 0, this.size));
    return this.dtype === 'float32' ? new Float32Array(bytes, 0, this.size) : new Int32Array(bytes, 0, this.size);
  }

  /** The value of a tensor of one element. */
  async item(): Promise<number> {
    if (this.size !== 1) fail('item', 'tensor', 'have one element', this.shape, 'invalid_shape');
    return (await this.data())[0]!;
  }

  /**
   * Computes the gradient of this tensor with respect to every leaf that it depends on and adds it to the leaf's `.grad`.
   * Frees the tape: a second call on the same graph is an error (code `graph_released`).
   * @param gradient The upstream gradient, of this tensor's shape. May be left out when there is one element; it is then 1.
   */
  backward(gradient?: Tensor): void {
    backward(this, gradient);
  }

  /** The same data under another shape of as many elements; one extent may be -1. Shares memory. */
  reshape(...extents: number[]): Tensor {
    const shape = inferShape(extents, this.size);
    const result = new Tensor(this.live('reshape').retain(), shape, this.dtype);
    return record('reshape', result, [this], {}, (dy) => [dy.reshape(...this.shape)]);
  }

  /** The same data, not connected to the tape. Shares memory. */
  detach(): Tensor {
    return new Tensor(this.live('detach').retain(), this.shape, this.dtype);
  }

  /** What it is, without its elements, which only `data()` reads: `Tensor float32 [2, 3] on cpu, requiresGrad`. */
  toString(): string {
    const { kind, index } = this.device;
    const state = [this.requiresGrad && 'requiresGrad', this.isDisposed && 'disposed'].filter((word) => word !== false);
    const place = kind === 'cpu' ? kind : `${kind}:${index}`;
    return [`Tensor ${this.dtype} [${this.shape.join(', ')}] on ${place}`, ...state].join(', ');
  }

  /** @internal */
  [inspectMethod](): string {
    return this.toString();
  }

  /** Frees the tensor's share of its memory, its gradient, and the part of the tape that only it needed. Harmless twice. */
  dispose(): void {
    if (this.storage === undefined) return;
    untrack(this);
    this.storage.release();
    this.storage = undefined;
    this.node?.release();
    this.node = undefined;
    this.gradient?.dispose();
    this.gradient = null;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

export function elementCount(shape: Shape): number {
  return shape.reduce((count, extent) => count * extent, 1);
}

/** @internal */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

function inferShape(extents: readonly number[], size: number): number[] {
  if (Array.isArray(extents[0])) fail('reshape', 'extents', 'be numbers, as in reshape(2, -1)', extents[0]);
  const shape = extents.map((extent, axis) => expectInteger('reshape', `extent ${axis}`, extent, -1));
  const open = shape.indexOf(-1);
  if (open >= 0) {
    const known = shape.reduce((count, extent, axis) => (axis === open ? count : count * extent), 1);
    shape[open] = known > 0 ? size / known : 0;
  }
  if (shape.some((extent) => extent < 0 || !Number.isInteger(extent)) || elementCount(shape) !== size) {
    fail('reshape', 'shape', `hold ${size} elements`, extents, 'invalid_shape');
  }
  return shape;
}

// Far above what any op takes; bounds the work on shapes and nestings that are no real ones.
const maxAxes = 32;

/** @internal Extents, or an error. */
export function expectShape(where: string, argument: string, value: unknown): number[] {
  return expectArray(where, argument, value, `an array of at most ${maxAxes} integers`, 0, maxAxes).map(
    (extent, axis) => expectInteger(where, `${argument}[${axis}]`, extent, 0),
  );
}

function flatten(values: NestedNumbers, shape: Shape, axis: number, out: number[]): void {
  const extent = shape[axis];
  if (typeof values === 'number' ? extent !== undefined : !Array.isArray(values) || values.length !== extent) {
    fail('tensor', 'data', 'be nested arrays of numbers of equal lengths', values, 'invalid_shape');
  }
  if (typeof values === 'number') out.push(values);
  else for (const item of values) flatten(item, shape, axis + 1, out);
}

/** An array whose buffer was transferred away, or shrunk below it, has length 0: not what its owner means. */
function expectAttached(data: Float32Array | Int32Array | Uint16Array): void {
  try {
    data.at(0);
  } catch {
    const lost = new Described(`a ${typedArrayKind(data)} whose buffer was transferred or shrunk`);
    fail('tensor', 'data', 'lie within a live buffer', lost);
  }
}

// What typed arrays are taken for.
const naturalDTypes = { Float32Array: 'float32', Int32Array: 'int32', Uint16Array: 'bfloat16' } as const;

/** The type of a tensor of `natural` values, or an error where they cannot be what was asked for. */
function dtypeOf(natural: DType, asked: DType | undefined): DType {
  if (natural === 'bfloat16' && asked !== natural) {
    // Pixels, most often.
    fail(
      'tensor',
      'dtype',
      `be 'bfloat16' for a Uint16Array, which is taken for its bits (Float32Array.from(data) makes numbers of them)`,
      asked,
    );
  }
  const possible: readonly DType[] = natural === 'float32' ? activationDTypes : [natural];
  const dtype = asked ?? natural;
  if (!possible.includes(dtype)) fail('tensor', 'dtype', `be ${possible.join(' or ')} for such data`, dtype);
  return dtype;
}

/**
 * Makes a tensor from numbers. They are copied at the call: what becomes of the array afterwards does not matter. (Over a
 * SharedArrayBuffer, what other threads write during the call may or may not be seen.)
 * @param data A Float32Array (float32), an Int32Array (int32) or, where `dtype` is `'bfloat16'`, a Uint16Array of its bits, over any kind of buffer, or
 *   numbers nested as deep as the tensor has axes, which are rounded to float32. Float32 data is rounded to nearest even where
 *   `dtype` is `'bfloat16'`. Other typed arrays are refused, as no dtype holds their values as they are: `Float32Array.from(data)`
 *   and `Int32Array.from(data)` convert them.
 * @param shape Default: the nesting of `data`, or one axis for a typed array.
 * @throws GmrError `invalid_shape` when `data` does not fill `shape`.
 */
export function tensor(
  data: Float32Array | Int32Array | Uint16Array | NestedNumbers,
  shape?: Shape,
  options: TensorOptions = {},
): Tensor {
  expectOptions('tensor', options, { device: true, dtype: true, requiresGrad: true });
  let values: Float32Array | Int32Array | Uint16Array;
  let natural: number[];
  const kind = typedArrayKind(data);
  let naturalDType: DType = 'float32';
  if (kind !== undefined && Object.hasOwn(naturalDTypes, kind)) {
    values = data as Float32Array | Int32Array | Uint16Array;
    expectAttached(values);
    naturalDType = naturalDTypes[kind as keyof typeof naturalDTypes];
    natural = [values.length];
  } else if (typeof data === 'number' || Array.isArray(data)) {
    natural = [];
    // One level too many is enough for expectShape to refuse.
    for (
      let level: NestedNumbers | undefined = data;
      Array.isArray(level) && natural.length <= maxAxes;
      level = level[0]
    )
      natural.push(level.length);
    expectShape('tensor', 'the nesting of data', natural);
    const flat: number[] = [];
    flatten(data, natural, 0, flat);
    values = Float32Array.from(flat);
  } else {
    const numbers = kind?.startsWith('Big') ? 'data, Number' : 'data';
    const remedy = kind === undefined ? '' : ` (Float32Array.from(${numbers}) converts it)`;
    const expected = `be a Float32Array, an Int32Array, a Uint16Array or nested numbers${remedy}`;
    return fail('tensor', 'data', expected, data);
  }
  if (isPlainObject(shape)) {
    fail('tensor', 'shape', 'be an array of integers (options come third: tensor(data, undefined, options))', shape);
  }
  const target = expectShape('tensor', 'shape', shape ?? natural);
  if (elementCount(target) !== values.length) {
    fail(
      'tensor',
      'data',
      `have ${elementCount(target)} elements for shape [${target.join(', ')}]`,
      data,
      'invalid_shape',
    );
  }
  const device = resolveDevice(options.device);
  const requiresGrad = expectBoolean('tensor', 'requiresGrad', options.requiresGrad ?? false);
  const dtype = dtypeOf(naturalDType, options.dtype);
  const isRounded = dtype === 'bfloat16' && naturalDType === 'float32';
  const elements = isRounded ? roundToBfloat16(values as Float32Array) : values;
  const handle = attempt(() => native().upload(device.handle, elements));
  const result = new Tensor(new Storage(device, handle), target, dtype);
  if (requiresGrad) result.requiresGrad = true;
  return result;
}

/** @internal A tensor whose elements the next pass writes. */
export function empty(shape: Shape, device: Device = defaultDevice(), dtype: DType = 'float32'): Tensor {
  const count = elementCount(shape);
  // What native code takes as a number of bytes.
  if (count > 2 ** 50) fail('tensor', 'the result', 'have at most 2^50 elements', shape, 'invalid_shape');
  const handle = attempt(() => native().createBuffer(device.handle, count * (dtype === 'bfloat16' ? 2 : 4)));
  return new Tensor(new Storage(device, handle), shape, dtype);
}

/** @internal A tensor of another's type and device, and its shape if none is given, whose elements the next pass writes. */
export function emptyLike(x: Tensor, shape: Shape = x.shape): Tensor {
  return empty(shape, x.device, x.dtype);
}

/** @internal What activations may be; parameters and statistics are float32. */
export const activationDTypes = ['float32', 'bfloat16'] as const satisfies readonly DType[];

/** @internal How native code calls the type of activations. */
export function elementType(dtype: DType): number {
  return (activationDTypes as readonly DType[]).indexOf(dtype);
}

/** @internal Checks an argument that names a type of activations. */
export function expectActivationDType(op: string, argument: string, value: unknown): void {
  if (!(activationDTypes as readonly unknown[]).includes(value)) {
    fail(op, argument, `be '${activationDTypes.join("' or '")}'`, value);
  }
}

/** @internal Parameters of a pass with tensors where native code wants buffers. */
export type TensorParams<P> = {
  [K in keyof P]: P[K] extends readonly (infer Item extends object)[]
    ? readonly TensorParams<Item>[]
    : Extract<P[K], BufferHandle> extends never
      ? P[K]
      : Exclude<P[K], BufferHandle> | Tensor;
};

/** @internal Queues a pass on its tensors' device. */
export function run<P extends PassName>(pass: P, params: TensorParams<PassParams[P]>): void {
  let device: Device | undefined;
  const toNative = (object: object): Record<string, unknown> => {
    const result: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(object) as [string, unknown][]) {
      if (value instanceof Tensor) {
        result[name] = value.live(pass).handle;
        device ??= value.device;
      } else if (Array.isArray(value) && typeof value[0] === 'object') {
        result[name] = (value as object[]).map(toNative);
      } else {
        result[name] = value;
      }
    }
    return result;
  };
  const native_ = toNative(params);
  attempt(() => native()[pass]((device ?? defaultDevice()).handle, native_ as never, currentLabel()));
}

/** @internal Makes `target` hold the elements of `source`, of as many bytes on the same device, in stream order. */
export function copyInto(target: Tensor, source: Tensor): void {
  const [from, to] = [source, target].map((tensor) => tensor.live('copy').handle);
  attempt(() => native().copy(target.device.handle, from!, to!, currentLabel()));
}

/** @internal */
export interface TensorExpectation {
  /** Number of axes, or the least and most. */
  rank?: number | readonly [number, number];
  shape?: Shape;
  /** Default float32. */
  dtype?: DType | readonly DType[];
  /** The device that the op's other tensors are on. */
  device?: Device;
}

/** @internal Checks a tensor argument of an op. */
export function expectTensor(op: string, argument: string, value: unknown, expected: TensorExpectation = {}): Tensor {
  if (!(value instanceof Tensor)) fail(op, argument, 'be a Tensor', value);
  value.live(op, argument);
  const dtypes: readonly DType[] = [expected.dtype ?? 'float32'].flat();
  if (!dtypes.includes(value.dtype)) {
    const hint = value.dtype !== 'int32' && dtypes[0] !== 'int32' ? ' (ops.cast makes it so)' : '';
    fail(op, argument, `be ${dtypes.join(' or ')}${hint}`, value.dtype);
  }
  const [least, most] =
    typeof expected.rank === 'number' ? [expected.rank, expected.rank] : (expected.rank ?? [0, maxAxes]);
  if (value.shape.length < least || value.shape.length > most) {
    const axes = least === most ? `${least}` : `${least} to ${most}`;
    fail(op, argument, `have ${axes} axes`, value.shape, 'invalid_shape');
  }
  if (expected.shape !== undefined && !sameShape(value.shape, expected.shape)) {
    fail(op, argument, `have shape [${expected.shape.join(', ')}]`, value.shape, 'invalid_shape');
  }
  if (expected.device !== undefined && value.device !== expected.device) {
    const where = `be on ${expected.device.toString()}, where { device } or model.to(device) puts it`;
    fail(op, argument, where, value.device.toString(), 'device_mismatch');
  }
  return value;
}

/**
 * Runs `fn` and frees every tensor made in it, except those in its result (a tensor, or arrays and plain objects of tensors).
 * `fn` must be synchronous: return tensors and await their data outside. Freed on an exception as well.
 */
export function scope<T>(fn: () => T): T {
  return runInScope(fn, (value): value is Tensor => value instanceof Tensor);
}
