import { type Device, type DeviceSpec, resolveDevice } from '../device.js';
import { expectBoolean, expectOptions, expectString, GmrError } from '../errors.js';
import { namedEntries } from '../io/host_array.js';
import { inspectMethod } from '../inspect.js';
import { withoutScope } from '../memory.js';
import { currentLabel, isProfiling, withLabel } from '../profile.js';
import { scope, Tensor, tensor, type Shape } from '../tensor.js';
import {
  checkState,
  Counter,
  loadState,
  stateEntry,
  type StateCheck,
  type StateDict,
  type StateEntry,
  type StateSource,
  type StateTarget,
} from './state_dict.js';

/** A module of any signature. */
export type AnyModule = Module<any[]>;

/** Dotted paths in the module whose `forward` was called from outside; kept only while it runs and is profiled. */
let paths: ReadonlyMap<AnyModule, string> | undefined;

/** Properties that `toString` leaves out: what holds for all of a network, or is in the class's name. */
const unsaid = new Set(['training', 'layer', 'names', 'spatialDims']);

/** @internal What a module was made with, by name. */
export type Settings = Readonly<Record<string, unknown>>;

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.every(isPlain);
  return /^(number|boolean|string)$/.test(typeof value);
}

/** What is the same for all axes is said once. */
function settingText(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  const items = value.map(settingText);
  return items.every((item) => item === items[0]) ? items[0]! : `[${items.join(', ')}]`;
}

/** @internal Settings without those that are as in `usual`. */
export function unusual(settings: Settings, usual: Settings): Settings {
  const isUsual = (name: string): boolean =>
    Object.hasOwn(usual, name) && settingText(settings[name]) === settingText(usual[name]);
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !isUsual(name)));
}

/** `runningMean` -> `running_mean`: the names of state dicts are the reference's. */
function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `scope`, with passes counted under the module's path. */
function labelled(module: AnyModule, compute: () => Tensor): Tensor {
  const outermost = paths === undefined;
  paths ??= new Map([...module.namedModules()].map(([path, child]) => [child, path]));
  try {
    return withLabel(paths.get(module) ?? currentLabel(), () => scope(compute));
  } finally {
    if (outermost) paths = undefined;
  }
}

/** In which module each failure began, and what it said there. */
const failures = new WeakMap<GmrError, { module: AnyModule; message: string }>();

/** Says in the message where in `root` a failure began. Modules on the way up call it in turn: the last knows most. */
function locate(error: GmrError, root: AnyModule): void {
  const failure = failures.get(error);
  if (failure === undefined) {
    failures.set(error, { module: root, message: error.message });
    return;
  }
  const found = [...root.namedModules()].find(([path, module]) => path !== '' && module === failure.module);
  if (found === undefined) return;
  const message = `in ${found[0]}: ${failure.message}`;
  error.stack = error.stack?.replace(error.message, () => message); // made with the error, message included
  error.message = message;
}

/** Modules whose `dispose` was called, and those whose parameters or buffers went with a module above them. */
const disposed = new WeakSet<AnyModule>();

/** @param path Where the module is in the one that was called. */
function expectLive(module: AnyModule, path = ''): void {
  if (!disposed.has(module)) return;
  const message = `[${module.constructor.name}] expected the module to be live, received one that was disposed of`;
  throw new GmrError('disposed', path === '' ? message : `in ${path}: ${message}`);
}

function join(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}

/**
 * A layer, or a network of layers. Properties make its structure:
 * - a `Tensor` is a parameter (one that is not trained has `requiresGrad` false), or a buffer if `bufferNames` lists it;
 * - a `Counter` is a buffer;
 * - a `Module`, or an array of modules, is a child.
 *
 * Names in state dicts are the dotted paths of the properties in snake case, e.g. `layer1.0.conv1.log_sigmas`.
 *
 * A subclass writes `compute`; callers call `forward`, which runs it in a `scope`: tensors that `compute` makes and does not
 * return are freed (the tape keeps what gradients need). Parameters must be made outside of scopes, as the functions of `init` do.
 *
 * The layers of this package compute in the type of their input, float32 or bfloat16, with parameters and statistics of float32.
 */
export abstract class Module<Args extends unknown[] = [x: Tensor]> {
  /** Properties that hold state which is not trained by gradients. */
  static readonly bufferNames: readonly string[] = [];

  /** Whether it trains (the default) or evaluates; see `train` and `eval`. */
  training = true;

  protected abstract compute(...args: Args): Tensor;

  /**
   * Applies the module. While `profile` runs, passes are counted under the module's dotted path.
   * @throws GmrError what a layer inside throws, with its path: `in layer1.0.conv1: [conv] expected ...`.
   */
  forward(...args: Args): Tensor {
    return this.within(() => this.compute(...args));
  }

  /** @internal Runs a computation of this module as `forward` runs `compute`. */
  protected within(compute: () => Tensor): Tensor {
    try {
      expectLive(this);
      return isProfiling() ? labelled(this, compute) : scope(compute);
    } catch (error) {
      if (error instanceof GmrError) locate(error, this);
      throw error;
    }
  }

  /** Direct children by name. */
  *namedChildren(): IterableIterator<[string, AnyModule]> {
    for (const [property, value] of Object.entries(this)) {
      const name = snakeCase(property);
      if (value instanceof Module) yield [name, value];
      else if (Array.isArray(value)) {
        for (const [i, item] of value.entries()) if (item instanceof Module) yield [`${name}.${i}`, item];
      }
    }
  }

  *children(): IterableIterator<AnyModule> {
    for (const [, child] of this.namedChildren()) yield child;
  }

  /** This module and all below it, by path, each before its children. */
  *namedModules(prefix = ''): IterableIterator<[string, AnyModule]> {
    expectString('namedModules', 'prefix', prefix);
    yield [prefix, this];
    for (const [name, child] of this.namedChildren()) yield* child.namedModules(join(prefix, name));
  }

  *modules(): IterableIterator<AnyModule> {
    for (const [, module] of this.namedModules()) yield module;
  }

  /** Parameters by path, also those without a gradient; one that is used twice comes once. */
  *namedParameters(): IterableIterator<[string, Tensor]> {
    const seen = new Set<Tensor>();
    for (const { path, value, isBuffer } of this.slots()) {
      if (!isBuffer && value instanceof Tensor && !seen.has(value)) {
        seen.add(value);
        yield [path, value];
      }
    }
  }

  *parameters(): IterableIterator<Tensor> {
    for (const [, parameter] of this.namedParameters()) yield parameter;
  }

  /** State that is not trained by gradients, by path: tensors and counts. */
  *namedBuffers(): IterableIterator<[string, StateTarget]> {
    for (const { path, value, isBuffer } of this.slots()) if (isBuffer) yield [path, value];
  }

  /**
   * All parameters and buffers by path: the tensors themselves, which change as training goes on, and counts as int64 scalars.
   * Write it with `writeSafetensors`.
   */
  stateDict(): StateDict {
    return Object.fromEntries([...this.slots()].map(({ path, value }) => [path, stateEntry(value)]));
  }

  /**
   * Copies values into parameters and buffers; the tensors stay the same objects. Buffers that the reference derives from a layer's
   * options (`weight_index_mat` and the like) may be there and are ignored.
   * @param source A state dict, or the `tensors` of `readSafetensors`. Floating point and integer arrays become float32.
   * @param options.strict Whether missing and unexpected names are errors (default true). Wrong shapes always are.
   * @returns The missing and unexpected names.
   * @throws GmrError `state_dict_mismatch` lists all that is wrong; nothing has changed then.
   */
  loadStateDict(source: StateSource, options: { strict?: boolean } = {}): StateCheck {
    expectOptions('loadStateDict', options, { strict: true });
    const targets = new Map([...this.slots()].map(({ path, value }) => [path, value]));
    const derived = new Map<string, Shape>();
    for (const [prefix, module] of this.namedModules()) {
      for (const [name, shape] of Object.entries(module.derivedState())) derived.set(join(prefix, name), shape);
    }
    const entries = new Map(namedEntries<StateEntry>('loadStateDict', 'source', source));
    const loose = !expectBoolean('loadStateDict', 'strict', options.strict ?? true);
    const check = checkState('loadStateDict', targets, entries, derived, { missing: loose, unexpected: loose });
    loadState(
      [...targets].flatMap(([path, target]) => (entries.has(path) ? [[target, entries.get(path)!] as const] : [])),
    );
    return check;
  }

  /** Puts this module and all below it into training (or, with false, evaluation). Returns itself. */
  train(training = true): this {
    expectBoolean('train', 'training', training);
    for (const module of this.modules()) module.training = training;
    return this;
  }

  /** Puts this module and all below it into evaluation. Returns itself. */
  eval(): this {
    return this.train(false);
  }

  /**
   * Moves all parameters and buffers to a device. They become other tensors, without gradients: make the optimiser afterwards.
   * Awaits all work that was queued on them.
   */
  async to(device: Device | DeviceSpec): Promise<this> {
    const target = resolveDevice(device);
    const slots = [...this.slots()].filter(({ value }) => value instanceof Tensor && value.device !== target);
    const sources = [...new Set(slots.map(({ value }) => value as Tensor))];
    const values = await Promise.all(sources.map((source) => source.data()));
    for (const [path, module] of this.namedModules()) expectLive(module, path); // disposed of in the meantime
    const copies = new Map<unknown, Tensor>();
    withoutScope(() => {
      for (const [i, source] of sources.entries()) {
        const { shape, requiresGrad } = source;
        copies.set(source, tensor(values[i]!, shape, { device: target, requiresGrad }));
      }
    });
    for (const { owner, property, value } of slots) Reflect.set(owner, property, copies.get(value));
    for (const source of sources) source.dispose();
    return this;
  }

  /** Frees the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) {
      parameter.grad?.dispose();
      parameter.grad = null;
    }
  }

  /**
   * Frees all parameters and buffers. What needs them is refused afterwards (code `disposed`), by this module and by all below it that had
   * any; those without may serve in other models. Harmless twice.
   */
  dispose(): void {
    disposed.add(this);
    for (const module of this.modules()) {
      for (const value of Object.values(module)) {
        if (!(value instanceof Tensor)) continue;
        value.dispose();
        disposed.add(module);
      }
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * The tree of modules, a line each; layers with what they were made with, as far as it is numbers, words or flags and not the default:
   * `Sequential(\n  (0) GMRConv2d(inChannels: 3, outChannels: 8, kernelSize: 9, padding: 4)\n  (1) ReLU()\n)`.
   */
  toString(): string {
    const children = [...this.namedChildren()].map(([name, child]) => `(${name}) ${child.toString()}`);
    const body = children.join('\n').replaceAll(/^/gm, '  ');
    const settings = Object.entries(this.madeWith())
      .filter(([name, value]) => !unsaid.has(name) && isPlain(value))
      .map(([name, value]) => `${name}: ${settingText(value)}`);
    const inside = children.length === 0 ? settings.join(', ') : `\n${body}\n`;
    return `${this.constructor.name}(${inside})${disposed.has(this) ? ', disposed' : ''}`;
  }

  /** @internal */
  [inspectMethod](): string {
    return this.toString();
  }

  /** @internal What `toString` chooses from: properties, and options that became none, less what is as by default. */
  protected madeWith(): Settings {
    return Object.fromEntries(Object.entries(this));
  }

  /** Names and shapes of what the reference's state dict holds beside this module's own state; see `loadStateDict`. */
  protected derivedState(): Readonly<Record<string, Shape>> {
    return {};
  }

  /** Every parameter and buffer with its path and the property that holds it, unless they were disposed of. */
  private *slots(): IterableIterator<{
    path: string;
    owner: AnyModule;
    property: string;
    value: StateTarget;
    isBuffer: boolean;
  }> {
    for (const [prefix, owner] of this.namedModules()) {
      expectLive(owner, prefix);
      const { bufferNames } = owner.constructor as typeof Module;
      for (const [property, value] of Object.entries(owner) as [string, unknown][]) {
        if (value instanceof Tensor || value instanceof Counter) {
          const isBuffer = value instanceof Counter || bufferNames.includes(property);
          yield { path: join(prefix, snakeCase(property)), owner, property, value, isBuffer };
        }
      }
    }
  }
}
