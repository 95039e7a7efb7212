// The addon without its types, and the params that the ops give to its passes: what tests start from that call it directly.
import * as gmr from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { publicCalls } from './public_calls.js';

export type NativeFunction = (...args: any[]) => unknown;

export function rawBinding(): Record<string, NativeFunction> {
  return native();
}

/** Convolutions in evaluation, that normalise what they store: their passes take the most params. */
function evaluateNormalised(): void {
  const { nn } = gmr;
  const image = gmr.tensor(new Float32Array(16), [1, 1, 4, 4]);
  for (const conv of [new nn.Conv2d(1, 1, 3), new nn.GMRConv2d(1, 1, 3)]) {
    const net = new nn.Sequential(conv, new nn.BatchNorm2d(1), new nn.ReLU()).eval();
    gmr.noGrad(() => net.forward(image));
  }
}

/** Valid params of every pass, from one call of each op and its gradient. Their buffers stay: nobody disposes of them. */
export function recordParams(): Map<string, Record<string, unknown>> {
  const binding = rawBinding();
  const recorded = new Map<string, Record<string, unknown>>();
  const originals = { ...binding };
  binding['dispose'] = () => {};
  for (const name of Object.keys(binding).filter((key) => key.includes('_'))) {
    binding[name] = (on, params: Record<string, unknown>, label) => {
      if (!recorded.has(name)) recorded.set(name, params);
      originals[name]!(on, params, label);
    };
  }
  try {
    evaluateNormalised();
    for (const [name, { args, call }] of Object.entries(publicCalls)) {
      if (!name.startsWith('ops.')) continue;
      const y = call(...args());
      if (y instanceof gmr.Tensor) y.backward(gmr.tensor(new Float32Array(y.size), y.shape, { dtype: y.dtype }));
    }
  } finally {
    Object.assign(binding, originals);
  }
  return recorded;
}
