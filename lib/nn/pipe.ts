import type { Tensor } from '../tensor.js';

/**
 * Applies `steps` one after the other and frees each result as soon as the next is there. Not freed: `x`, and what is returned.
 * @internal
 */
export function pipe(x: Tensor, ...steps: readonly ((h: Tensor) => Tensor)[]): Tensor {
  let h = x;
  for (const step of steps) {
    const next = step(h);
    if (h !== x && h !== next) h.dispose();
    h = next;
  }
  return h;
}
