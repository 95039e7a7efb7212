import { isTracked } from '../memory.js';
import { scope, type Tensor } from '../tensor.js';

/**
 * Applies `steps` one after the other and frees each result as soon as the next is there. Not freed: what is returned,
 * and what no step made: `x`, or a tensor of its own that a step returns.
 * @internal
 */
export function pipe(x: Tensor, ...steps: readonly ((h: Tensor) => Tensor)[]): Tensor {
  return scope(() => {
    let h = x;
    for (const step of steps) {
      const next = step(h);
      if (h !== next && isTracked(h)) h.dispose();
      h = next;
    }
    return h;
  });
}
