import { record } from '../autograd.js';
import { expectNumber, expectOptions, fail } from '../errors.js';
import { activationDTypes, elementType, empty, emptyLike, expectTensor, run, type Tensor } from '../tensor.js';

export interface CrossEntropyOptions {
  /** Share of the label that is spread evenly over all classes, in [0, 1]. Default 0. */
  labelSmoothing?: number;
  /** Whether the rows' losses are averaged or added. Default 'mean'. */
  reduction?: 'mean' | 'sum';
}

/**
 * Cross entropy of the softmax of logits with class numbers: `-sum_k q_k log softmax(logits)_k`, where `q` is `1 - labelSmoothing`
 * at the target plus `labelSmoothing / K` everywhere. The mean of no rows is NaN.
 *
 * A target outside [0, K) is seen only when the work runs: the next read of results is then rejected with the row and its value.
 * @param logits `[N, K]`, float32 or bfloat16.
 * @param targets `[N]`, int32, in [0, K).
 * @returns The loss, a float32 tensor of shape `[]`.
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  expectOptions('cross_entropy', options, { labelSmoothing: true, reduction: true });
  const { labelSmoothing = 0, reduction = 'mean' } = options;
  expectTensor('cross_entropy', 'logits', logits, { rank: 2, dtype: activationDTypes });
  const [rows, classes] = logits.shape as [number, number];
  const { device } = logits;
  expectTensor('cross_entropy', 'targets', targets, { shape: [rows], dtype: 'int32', device });
  expectNumber('cross_entropy', 'labelSmoothing', labelSmoothing, 0, 1);
  if (reduction !== 'mean' && reduction !== 'sum') fail('cross_entropy', 'reduction', "be 'mean' or 'sum'", reduction);

  const sizes = {
    type: elementType(logits.dtype),
    rows,
    classes,
    divisor: reduction === 'mean' ? rows : 1,
    labelSmoothing,
  };
  const loss = empty([], device);
  run('cross_entropy_forward', { logits, targets, loss, ...sizes });
  return record('cross_entropy', loss, [logits], { logits, targets }, (dy, saved) => {
    const dlogits = emptyLike(saved.logits);
    run('cross_entropy_backward_input', { ...saved, dy, dlogits, ...sizes });
    return [dlogits];
  });
}
