import { record } from '../autograd.js';
import { expectBoolean, expectOptions } from '../errors.js';
import { empty, expectTensor, run, type Tensor } from '../tensor.js';
import { expectKernelSize, expectRings } from './rings.js';
import { toTriple } from './spatial.js';

export interface RingExpandOptions {
  /** Rings end at half a tap beyond the first side; taps farther out are 0. Otherwise they end at the farthest tap. Default true. */
  circular?: boolean;
}

/**
 * Lays ring weights out as a dense kernel: `v[o,c,l]` at each tap of ring l, 0 at taps that are in no ring. A tap's ring follows
 * from its distance to the centre tap; rings may be empty. There are as many rings as `v` has weights on its last axis.
 * @param v `[O, C/G, R]`, R >= 1.
 * @param kernelSize 1 to 3 odd sides, one a spatial axis.
 * @returns `[O, C/G, ...kernelSize]`.
 * @throws GmrError `invalid_argument` for an even side: it has no centre tap.
 * @see Du et al., "GMR-Conv", arXiv 2504.02819.
 */
export function ringExpand(v: Tensor, kernelSize: readonly number[], options: RingExpandOptions = {}): Tensor {
  expectTensor('ring_expand', 'v', v, { rank: 3 });
  const rings = expectRings('ring_expand', 'v', v);
  expectKernelSize('ring_expand', 'kernelSize', kernelSize);
  expectOptions('ring_expand', options, { circular: true });
  const { circular = true } = options;
  expectBoolean('ring_expand', 'circular', circular);
  const [outputs, inputs] = v.shape as [number, number, number];
  const geometry = {
    rows: outputs * inputs,
    rings,
    kernel: toTriple(kernelSize, 1),
    firstSide: kernelSize[0]!,
    circular,
  };
  const y = empty([outputs, inputs, ...kernelSize], v.device);
  run('ring_expand_forward', { v, y, ...geometry });
  return record('ring_expand', y, [v], {}, (dy) => {
    const dv = empty([outputs, inputs, rings], dy.device);
    run('ring_expand_backward_input', { dy, dv, ...geometry });
    return [dv];
  });
}
