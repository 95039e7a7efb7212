import { record } from '../autograd.js';
import { expectArray, expectBoolean, expectInteger, expectOptions, fail } from '../errors.js';
import {
  activationDTypes,
  elementCount,
  elementType,
  empty,
  expectActivationDType,
  expectTensor,
  run,
  type DType,
  type Shape,
  type Tensor,
} from '../tensor.js';

export interface ReduceOptions {
  op: 'sum' | 'mean';
  /** The axes that go; negative ones count from the end. Default all; an empty list leaves the values as they are. */
  axes?: readonly number[];
  /** Whether these axes stay, with extent 1. Default false. */
  keepDims?: boolean;
  /** Type of the result, float32 or bfloat16. Default x's. */
  dtype?: DType;
}

/**
 * The sum or the mean over axes. The sum of nothing is 0, its mean NaN.
 * @param x Any shape, float32 or bfloat16.
 * @returns A tensor of x's shape without the axes; of shape `[]` when all go.
 * @throws GmrError `invalid_argument` when an axis is out of range or named twice.
 */
export function reduce(x: Tensor, options: ReduceOptions): Tensor {
  expectOptions('reduce', options, { op: true, axes: true, keepDims: true, dtype: true });
  expectTensor('reduce', 'x', x, { dtype: activationDTypes });
  const { op, axes, keepDims = false, dtype = x.dtype } = options;
  if (op !== 'sum' && op !== 'mean') fail('reduce', 'op', "be 'sum' or 'mean'", op);
  const reduced = reducedAxes(x.shape, axes);
  expectBoolean('reduce', 'keepDims', keepDims);
  expectActivationDType('reduce', 'dtype', dtype);

  const shape = x.shape.flatMap((extent, axis) => (!reduced[axis] ? [extent] : keepDims ? [1] : []));
  const steps = reduceSteps(x.shape, reduced, op === 'mean');
  const y = throughSteps(
    x,
    steps,
    ({ outer, inner }) => [outer, inner],
    { shape, dtype },
    (from, to, step) =>
      run('reduce_forward', { x: from, y: to, xType: elementType(from.dtype), yType: elementType(to.dtype), ...step }),
  );
  const input = { shape: x.shape, dtype: x.dtype };
  return record('reduce', y, [x], {}, (dy) => [
    throughSteps(
      dy,
      steps.toReversed(),
      (step) => [step.outer, step.reduced, step.inner],
      input,
      (from, to, step) =>
        run('reduce_backward_input', {
          dy: from,
          dx: to,
          xType: elementType(to.dtype),
          yType: elementType(from.dtype),
          ...step,
        }),
    ),
  ]);
}

/** For each axis whether it goes. */
function reducedAxes(shape: Shape, axes: readonly number[] | undefined): boolean[] {
  const rank = shape.length;
  if (axes === undefined) return shape.map(() => true);
  const items = expectArray('reduce', 'axes', axes, `an array of at most ${rank} integers`, 0, rank);
  const reduced = shape.map(() => false);
  items.forEach((value, i) => {
    const axis = expectInteger('reduce', `axes[${i}]`, value, -rank, rank - 1);
    const index = axis < 0 ? axis + rank : axis;
    if (reduced[index]) fail('reduce', 'axes', 'name each axis once', axes);
    reduced[index] = true;
  });
  return reduced;
}

/** A pass: the sum over the middle axis of [outer, reduced, inner], divided. */
interface Step {
  outer: number;
  reduced: number;
  inner: number;
  divisor: number;
}

/** One pass a run of neighbouring axes that go, the last run first: it leaves the least for the others. */
function reduceSteps(shape: Shape, reduced: readonly boolean[], mean: boolean): Step[] {
  const steps: Step[] = [];
  let inner = 1;
  for (let end = shape.length; end > 0;) {
    let begin = end - 1;
    while (begin > 0 && reduced[begin - 1] === reduced[begin]) begin -= 1;
    const extent = elementCount(shape.slice(begin, end));
    if (reduced[begin]) steps.push({ outer: elementCount(shape.slice(0, begin)), reduced: extent, inner, divisor: 1 });
    else inner *= extent;
    end = begin;
  }
  const last = steps.at(-1);
  if (last === undefined) return [{ outer: 1, reduced: 1, inner, divisor: 1 }];
  if (mean) last.divisor = steps.reduce((count, step) => count * step.reduced, 1);
  return steps;
}

/** Runs a pass for each step, the last one into the result; what lies between is float32, so that it is rounded once. */
function throughSteps(
  x: Tensor,
  steps: readonly Step[],
  shapeOf: (step: Step) => number[],
  result: { shape: Shape; dtype: DType },
  pass: (from: Tensor, to: Tensor, step: Step) => void,
): Tensor {
  let current = x;
  steps.forEach((step, i) => {
    const isLast = i + 1 === steps.length;
    const next = empty(isLast ? result.shape : shapeOf(step), x.device, isLast ? result.dtype : 'float32');
    pass(current, next, step);
    if (current !== x) current.dispose();
    current = next;
  });
  return current;
}
