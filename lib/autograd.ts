// The tape. Each differentiable op records a node: what it came from, the tensors its gradient needs, and the gradient.
// Nodes own what they save through tensors of their own, so a user may dispose of any tensor at any time; a node is freed when
// nothing can reach it any more (its result was disposed of and no later node uses it) or when `backward` has passed it.
import type { OpStem } from '../binding.js';
import { Described, expectFunction, fail } from './errors.js';
import { refusePromise, runInScope, withoutScope } from './memory.js';
import { currentLabel, withLabel } from './profile.js';
import { activationDTypes, copyInto, elementType, emptyLike, expectTensor, run, Tensor, tensor } from './tensor.js';

type Gradients<I extends readonly (Tensor | null | undefined)[]> = { readonly [K in keyof I]: Tensor | null };

/**
 * Computes input gradients from the output's. Returns one entry an input: a new tensor, `dy` itself, or null where `needs` says
 * that nobody wants it or the input was absent.
 * @internal
 */
export type Gradient<I extends readonly (Tensor | null | undefined)[], S> = (
  dy: Tensor,
  saved: S,
  needs: readonly boolean[],
) => Gradients<I>;

type Edge = { node: GradNode } | { leaf: Tensor } | null;

function graphReleased(op: string): never {
  fail(
    'backward',
    'graph',
    'be whole',
    new Described(`one that an earlier backward() freed (at ${op})`),
    'graph_released',
  );
}

let nextId = 0;

/** One recorded op. @internal */
export class GradNode {
  readonly id = nextId++;
  readonly op: string;
  readonly label: number = currentLabel();
  edges: readonly Edge[];
  private owners = 1;
  private compute: ((dy: Tensor, needs: readonly boolean[]) => readonly (Tensor | null)[]) | undefined;
  private saved: Tensor[];

  constructor(op: string, edges: readonly Edge[], saved: Tensor[], compute: GradNode['compute']) {
    this.op = op;
    this.edges = edges;
    this.saved = saved;
    this.compute = compute;
  }

  retain(): this {
    this.owners += 1;
    return this;
  }

  /** Gives up one ownership; frees what only this node held. Not recursive: chains are as long as networks are deep. */
  release(): void {
    const pending: GradNode[] = [this];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      node.owners -= 1;
      if (node.owners > 0) continue;
      for (const edge of node.edges) if (edge !== null && 'node' in edge) pending.push(edge.node);
      node.edges = [];
      node.free();
    }
  }

  run(dy: Tensor): readonly (Tensor | null)[] {
    if (this.compute === undefined) {
      graphReleased(this.op);
    }
    const needs = this.edges.map((edge) => edge !== null);
    return withLabel(this.label, () => this.compute!(dy, needs));
  }

  get isFreed(): boolean {
    return this.compute === undefined;
  }

  /** Drops the saved tensors; the node cannot run again. */
  free(): void {
    for (const tensor of this.saved) tensor.dispose();
    this.saved = [];
    this.compute = undefined;
  }
}

let recording = true;

/** Whether ops record gradients now. */
export function isGradEnabled(): boolean {
  return recording;
}

function withRecording<T>(where: string, value: boolean, fn: () => T): T {
  expectFunction(where, 'fn', fn);
  const before = recording;
  recording = value;
  try {
    const result = fn();
    refusePromise(where, result);
    return result;
  } finally {
    recording = before;
  }
}

/**
 * Runs `fn` (synchronous) without recording: results do not require gradients and the tape keeps nothing alive. Models in evaluation are
 * faster in it, see `nn.Sequential`.
 */
export function noGrad<T>(fn: () => T): T {
  return withRecording('noGrad', false, fn);
}

function edgeOf(input: Tensor | null | undefined): Edge {
  if (input === null || input === undefined || !input.requiresGrad) return null;
  return input.node === undefined ? { leaf: input } : { node: input.node.retain() };
}

/**
 * Connects `output` to the inputs it was computed from, if any of them requires a gradient and recording is on.
 * @param save The tensors that `gradient` reads; the tape keeps its own hold on them.
 * @returns `output`.
 * @internal
 */
export function record<I extends readonly (Tensor | null | undefined)[], S extends Record<string, Tensor | null>>(
  op: OpStem | 'reshape',
  output: Tensor,
  inputs: readonly [...I],
  save: S,
  gradient: Gradient<I, S>,
): Tensor {
  if (!recording || !inputs.some((input) => input?.requiresGrad === true)) return output;
  const kept: Tensor[] = [];
  const saved = withoutScope(() =>
    Object.fromEntries(
      Object.entries(save).map(([name, value]) => {
        const own = value === null ? null : value.detach();
        if (own !== null) kept.push(own);
        return [name, own];
      }),
    ),
  ) as S;
  output.node = new GradNode(op, inputs.map(edgeOf), kept, (dy, needs) => gradient(dy, saved, needs));
  return output;
}

/** Adds `part` to `total`, whose memory nobody else holds. */
function addInPlace(total: Tensor, part: Tensor): Tensor {
  run('add_forward', { a: total, b: part, y: total, type: elementType(total.dtype), count: total.size });
  part.dispose();
  return total;
}

/** A copy that shares no memory, so that it can be added to in place. */
function owned(gradient: Tensor): Tensor {
  if (!gradient.live('backward').isShared) return gradient;
  const copy = emptyLike(gradient);
  copyInto(copy, gradient);
  gradient.dispose();
  return copy;
}

/** What becomes of a gradient, which it owns, that has come to a leaf. */
type LeafSink = (leaf: Tensor, gradient: Tensor) => void;

function accumulate(leaf: Tensor, gradient: Tensor): void {
  if (leaf.isDisposed) gradient.dispose();
  else leaf.grad = leaf.grad === null ? owned(gradient) : addInPlace(leaf.grad, gradient);
}

/** @internal See Tensor.backward. */
export function backward(output: Tensor, upstream?: Tensor, sink: LeafSink = accumulate): void {
  output.live('backward');
  if (!output.requiresGrad) {
    fail('backward', 'tensor', 'depend on a tensor with requiresGrad', new Described('one that does not'));
  }
  if (upstream !== undefined)
    expectTensor('backward', 'gradient', upstream, { shape: output.shape, device: output.device, dtype: output.dtype });
  if (upstream === undefined && output.size !== 1) {
    fail('backward', 'gradient', `be given for a tensor of ${output.size} elements`, undefined, 'invalid_shape');
  }
  noGrad(() =>
    withoutScope(() => {
      const { shape, device, dtype } = output;
      const seed = upstream?.detach() ?? tensor(new Float32Array([1]), shape, { device, dtype });
      propagate(output, seed, sink);
    }),
  );
}

function propagate(output: Tensor, seed: Tensor, sink: LeafSink): void {
  const totals = new Map<GradNode, Tensor>();
  const deliver = (edge: Edge, gradient: Tensor): void => {
    if (edge === null) {
      gradient.dispose();
    } else if ('leaf' in edge) {
      sink(edge.leaf, gradient);
    } else {
      const before = totals.get(edge.node);
      totals.set(edge.node, before === undefined ? gradient : addInPlace(owned(before), gradient));
    }
  };

  if (output.node === undefined) {
    deliver({ leaf: output }, seed);
    return;
  }
  const order = reachable(output.node);
  const freed = order.find((node) => node.isFreed);
  if (freed !== undefined) {
    seed.dispose();
    graphReleased(freed.op);
  }
  totals.set(output.node, seed);
  try {
    for (const node of order) {
      const dy = totals.get(node);
      if (dy === undefined) continue;
      const gradients = node.run(dy);
      // An op may hand dy on as it came; each receiver gets a hold of its own.
      node.edges.forEach((edge, i) => {
        const gradient = gradients[i];
        if (gradient !== null && gradient !== undefined) deliver(edge, gradient === dy ? dy.detach() : gradient);
      });
      totals.delete(node);
      dy.dispose();
      node.free();
    }
  } finally {
    for (const total of totals.values()) total.dispose(); // none, unless a gradient threw
  }
}

/** All nodes that `from` depends on, each before those that it depends on: ids rise in the order of computation. */
function reachable(from: GradNode): GradNode[] {
  const seen = new Set<GradNode>([from]);
  const pending = [from];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (const edge of node.edges) {
      if (edge !== null && 'node' in edge && !seen.has(edge.node)) {
        seen.add(edge.node);
        pending.push(edge.node);
      }
    }
  }
  return [...seen].toSorted((a, b) => b.id - a.id);
}

/**
 * The gradient of a function: `grad(f)(...xs)` returns df/dx for each argument, as new tensors. `f` takes tensors and returns
 * a tensor of one element; what it makes is freed, as in a `scope`. No tensor's `.grad` changes, whatever `f` uses.
 */
export function grad<A extends Tensor[]>(fn: (...args: A) => Tensor): (...args: A) => { [K in keyof A]: Tensor } {
  expectFunction('grad', 'fn', fn);
  return (...args) => {
    const differentiate = (): Tensor[] => {
      const leaves = args.map((argument, i) => {
        const leaf = expectTensor('grad', `argument ${i}`, argument, { dtype: activationDTypes }).detach();
        leaf.requiresGrad = true;
        return leaf;
      });
      const y = fn(...(leaves as A));
      refusePromise('grad', y);
      const gradients = new Map<Tensor, Tensor>();
      backward(expectTensor('grad', 'result', y, { dtype: activationDTypes }), undefined, (leaf, gradient) => {
        const total = gradients.get(leaf);
        if (!leaves.includes(leaf)) gradient.dispose();
        else gradients.set(leaf, total === undefined ? owned(gradient) : addInPlace(total, gradient));
      });
      return leaves.map((leaf) => {
        const gradient = gradients.get(leaf);
        if (gradient === undefined) {
          return tensor(new Float32Array(leaf.size), leaf.shape, { device: leaf.device, dtype: leaf.dtype });
        }
        const result = gradient.detach(); // the scope's, as all that is made here
        gradient.dispose();
        return result;
      });
    };
    return runInScope(differentiate, (value) => value instanceof Tensor) as { [K in keyof A]: Tensor };
  };
}
