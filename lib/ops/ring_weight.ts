import { record } from '../autograd.js';
import { empty, expectTensor, run, type Tensor } from '../tensor.js';
import { expectRings } from './rings.js';

/**
 * Mixes ring weights by Gaussians: `v[o,c,l] = sum_r weight[o,c,r] P[r,l]` with
 * `P[r,l] = exp(-((l - r) / sigma_r)^2 / 2) / (2.5066 sigma_r)` and `sigma_r = clamp(exp(logSigmas[r]), 0.01, 2R)`.
 * The gradient of `logSigmas[r]` is exactly 0 while `sigma_r` is clamped.
 * @param weight `[O, C/G, R]`, R >= 1.
 * @param logSigmas `[R]`.
 * @returns `[O, C/G, R]`, what `ringExpand` and `ringConv` take.
 * @see Du et al., "GMR-Conv", arXiv 2504.02819.
 */
export function ringWeight(weight: Tensor, logSigmas: Tensor): Tensor {
  expectTensor('ring_weight', 'weight', weight, { rank: 3 });
  const rings = expectRings('ring_weight', 'weight', weight);
  expectTensor('ring_weight', 'logSigmas', logSigmas, { shape: [rings], device: weight.device });
  const rows = weight.shape[0]! * weight.shape[1]!;
  const v = empty(weight.shape, weight.device);
  run('ring_weight_forward', { weight, logSigmas, v, rows, rings });
  return record('ring_weight', v, [weight, logSigmas], { weight, logSigmas }, (dv, saved, needs) => {
    const dweight = needs[0] ? empty(saved.weight.shape, dv.device) : null;
    const dlogSigmas = needs[1] ? empty([rings], dv.device) : null;
    run('ring_weight_backward_input', { ...saved, dv, dweight, dlogSigmas, rows, rings });
    return [dweight, dlogSigmas];
  });
}
