import {
  Described,
  expectBoolean,
  expectNumber,
  expectOptions,
  expectPlainObject,
  fail,
  GmrError,
  isPlainObject,
  type OptionNames,
} from '../errors.js';
import { namedEntries } from '../io/host_array.js';
import type { Device } from '../device.js';
import { withoutScope } from '../memory.js';
import { type AnyModule, Module } from '../nn/module.js';
import { checkState, loadState, type StateEntry, type StateSource } from '../nn/state_dict.js';
import { type SgdParameter, sgdTogether } from '../ops/sgd.js';
import { empty, expectTensor, Tensor, tensor } from '../tensor.js';

export interface SGDOptions {
  /** Learning rate, >= 0. */
  lr: number;
  /** Share of the velocity that is kept. Default 0: no velocity. */
  momentum?: number;
  /** Share of the gradient that does not enter the velocity. Default 0. */
  dampening?: number;
  /** Default false; needs momentum and no dampening. */
  nesterov?: boolean;
  /** Share of the parameter that is added to its gradient. Default 0. */
  weightDecay?: number;
  /**
   * The same for parameters that are called `log_sigmas`. Default 0: decay would pull every ring's width towards one tap. Names are
   * known where parameters come from a module or from `namedParameters()`; bare tensors get `weightDecay`.
   */
  sigmaWeightDecay?: number;
}

/** Where parameters come from: a module, its `namedParameters()`, or tensors. */
export type ParameterSource = AnyModule | Iterable<Tensor> | Iterable<readonly [string, Tensor]>;

/** Parameters with options of their own; what is left out is as of the optimiser. */
export interface ParameterGroupOptions extends Partial<SGDOptions> {
  params: ParameterSource;
}

/** Settings of a group in use; they may be changed between steps. */
export type SGDSettings = Required<SGDOptions>;

/** A group in use. */
export interface ParameterGroup extends SGDSettings {
  /** By name, or by number where they have none. */
  readonly params: ReadonlyMap<string, Tensor>;
}

/** What `SGD.stateDict` holds: `settings` is for JSON, `velocity` for `writeSafetensors`. */
export interface SGDState {
  settings: SGDSettings[];
  /** By `<group>.<name>`; parameters that never had a gradient have none. */
  velocity: StateSource;
}

function* namedParameters(source: ParameterSource): Iterable<[string, Tensor]> {
  if (source instanceof Module) {
    yield* source.namedParameters();
    return;
  }
  const isIterable = typeof (source as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] === 'function';
  if (!isIterable || ArrayBuffer.isView(source)) {
    fail('SGD', 'params', 'be a Module, tensors or [name, tensor] pairs', source);
  }
  let index = 0;
  for (const item of source as Iterable<Tensor | readonly [string, Tensor]>) {
    const [name, parameter] = Array.isArray(item) ? (item as readonly [string, Tensor]) : [String(index), item];
    if (typeof name !== 'string') fail('SGD', `params[${index}]`, 'be a Tensor or [name, tensor]', item);
    yield [name, expectTensor('SGD', `parameter ${name}`, parameter)];
    index += 1;
  }
}

const optionNames: OptionNames<SGDOptions> = {
  lr: true,
  momentum: true,
  dampening: true,
  nesterov: true,
  weightDecay: true,
  sigmaWeightDecay: true,
};
const groupNames: OptionNames<ParameterGroupOptions> = { ...optionNames, params: true };

function expectSettings(options: SGDOptions): SGDSettings {
  const { momentum = 0, dampening = 0, nesterov = false, weightDecay = 0, sigmaWeightDecay = 0 } = options;
  const settings = {
    lr: expectNumber('SGD', 'lr', options.lr, 0),
    momentum: expectNumber('SGD', 'momentum', momentum, 0),
    dampening: expectNumber('SGD', 'dampening', dampening),
    nesterov: expectBoolean('SGD', 'nesterov', nesterov),
    weightDecay: expectNumber('SGD', 'weightDecay', weightDecay, 0),
    sigmaWeightDecay: expectNumber('SGD', 'sigmaWeightDecay', sigmaWeightDecay, 0),
  };
  if (nesterov && (momentum === 0 || dampening !== 0)) {
    fail('SGD', 'nesterov', 'come with momentum > 0 and dampening 0', [momentum, dampening]);
  }
  return settings;
}

function isGroup(item: unknown): item is ParameterGroupOptions {
  return isPlainObject(item) && 'params' in item;
}

function isSigma(name: string): boolean {
  return name === 'log_sigmas' || name.endsWith('.log_sigmas');
}

/** Zeros that belong to the optimiser: should the first step be skipped (its gradient failed), the next one can read them. */
function zerosLike({ size, shape, device }: Tensor): Tensor {
  return withoutScope(() => tensor(new Float32Array(size), shape, { device }));
}

/**
 * Stochastic gradient descent with momentum, as `torch.optim.SGD` (the formula stands at `ops.sgd`).
 *
 *     const optimizer = new gmr.optim.SGD(model, { lr: 0.1, momentum: 0.9, weightDecay: 5e-4 });
 *     optimizer.groups[0].lr = gmr.optim.cosine(epoch, { from: 0.1, to: 1e-4, steps: 100 });
 *
 * Parameters without a gradient are left alone.
 */
export class SGD {
  /** Settings, `lr` among them, may be assigned between steps. */
  readonly groups: readonly ParameterGroup[];
  private readonly velocities = new Map<Tensor, Tensor>();
  private isDisposed = false;

  /**
   * @param params Parameters, or groups of them with options of their own.
   * @param options What holds for all groups that do not say otherwise.
   * @throws GmrError when there are no parameters, or one comes twice.
   */
  constructor(params: ParameterSource | readonly ParameterGroupOptions[], options: SGDOptions) {
    if (options !== undefined) expectOptions('SGD', options, optionNames);
    const isGrouped = Array.isArray(params) && params.length > 0 && params.every(isGroup);
    const groups = isGrouped ? params : [{ params: params as ParameterSource }];
    const seen = new Set<Tensor>();
    this.groups = groups.map((group) => {
      expectOptions('SGD', group, groupNames, 'a group');
      const named = new Map<string, Tensor>();
      for (const [name, parameter] of namedParameters(group.params)) {
        if (seen.has(parameter) || named.has(name)) fail('SGD', 'params', 'hold each parameter and name once', name);
        seen.add(parameter);
        named.set(name, parameter);
      }
      return Object.assign(expectSettings({ ...options, ...group }), { params: named });
    });
    if (seen.size === 0) fail('SGD', 'params', 'hold parameters', []);
  }

  /**
   * Moves every parameter that has a gradient, in place: those of a group in one pass (88 at a time), which does not run
   * where the computation of one of its gradients failed; the next read reports it then.
   * @throws GmrError `disposed` when a parameter was disposed of, also by `model.to(device)`, which makes others; none moves then.
   */
  step(): void {
    this.expectLive();
    for (const { params } of this.groups) {
      for (const [name, parameter] of params) parameter.live('SGD', `parameter ${name}`);
    }
    for (const group of this.groups) {
      expectOptions('SGD', group, groupNames, 'a group');
      const { weightDecay, sigmaWeightDecay, ...rates } = expectSettings(group);
      const byDevice = new Map<Device, SgdParameter[]>();
      for (const [name, parameter] of group.params) {
        if (parameter.grad === null) continue;
        expectTensor('SGD', `parameter ${name}`, parameter);
        const { shape, device } = parameter;
        const together = byDevice.get(device) ?? [];
        byDevice.set(device, together);
        together.push({
          parameter,
          gradient: expectTensor('SGD', `the gradient of ${name}`, parameter.grad, { shape, device }),
          velocity: rates.momentum > 0 ? (this.velocities.get(parameter) ?? null) : null,
          weightDecay: isSigma(name) ? sigmaWeightDecay : weightDecay,
          firstStep: !this.velocities.has(parameter),
        });
      }
      for (const together of byDevice.values()) {
        if (rates.momentum > 0) {
          for (const each of together) each.velocity ??= zerosLike(each.parameter);
        }
        sgdTogether(together, rates);
        for (const { parameter, velocity } of together) {
          if (velocity !== null) this.velocities.set(parameter, velocity);
        }
      }
    }
  }

  /** Frees the gradients of all parameters. */
  zeroGrad(): void {
    for (const { params } of this.groups) {
      for (const parameter of params.values()) {
        parameter.grad?.dispose();
        parameter.grad = null;
      }
    }
  }

  /** Settings and velocities; these are the tensors themselves, which change with the next step. */
  stateDict(): { settings: SGDSettings[]; velocity: Record<string, Tensor> } {
    const settings = this.groups.map(expectSettings);
    const velocity = [...this.keys()].flatMap(([key, parameter]) => {
      const held = this.velocities.get(parameter);
      return held === undefined ? [] : [[key, held] as const];
    });
    return { settings, velocity: Object.fromEntries(velocity) };
  }

  /**
   * Goes on from a state of an optimiser over parameters of the same names, shapes and groups.
   * @throws GmrError `state_dict_mismatch`, which lists all that is wrong; nothing has changed then.
   */
  loadStateDict(state: SGDState): void {
    expectPlainObject('SGD.loadStateDict', 'state', state);
    const received = Array.isArray(state.settings) ? state.settings.length : 0;
    if (received !== this.groups.length) {
      const message = `[SGD.loadStateDict] expected settings of ${this.groups.length} groups, received ${received}`;
      throw new GmrError('state_dict_mismatch', message);
    }
    const settings = Array.from(state.settings, (group, i) => {
      expectOptions('SGD.loadStateDict', group, optionNames, `settings[${i}]`);
      return expectSettings(group);
    });
    const parameters = new Map(this.keys());
    const entries = new Map(namedEntries<StateEntry>('SGD.loadStateDict', 'velocity', state.velocity));
    checkState('SGD.loadStateDict', parameters, entries, new Map(), { missing: true, unexpected: false });
    const loaded = new Map<Tensor, Tensor>();
    try {
      loadState(
        [...entries].map(([key, entry]) => {
          const parameter = parameters.get(key)!;
          const velocity = withoutScope(() => empty(parameter.shape, parameter.device));
          loaded.set(parameter, velocity);
          return [velocity, entry];
        }),
      );
    } catch (error) {
      for (const velocity of loaded.values()) velocity.dispose();
      throw error;
    }
    this.freeVelocities();
    for (const [parameter, velocity] of loaded) this.velocities.set(parameter, velocity);
    for (const [i, group] of this.groups.entries()) Object.assign(group, settings[i]);
  }

  /** Frees the velocities. Steps and states are refused afterwards (code `disposed`). Harmless twice. */
  dispose(): void {
    this.isDisposed = true;
    this.freeVelocities();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private freeVelocities(): void {
    for (const velocity of this.velocities.values()) velocity.dispose();
    this.velocities.clear();
  }

  private expectLive(): void {
    if (this.isDisposed) fail('SGD', 'the optimiser', 'be live', new Described('one that was disposed of'), 'disposed');
  }

  /** Every parameter under `<group>.<name>`. */
  private *keys(): IterableIterator<[string, Tensor]> {
    this.expectLive();
    for (const [i, { params }] of this.groups.entries()) {
      for (const [name, parameter] of params) yield [`${i}.${name}`, parameter];
    }
  }
}
