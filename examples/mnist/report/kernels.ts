// Learned kernels: blue taps are positive, red ones negative, the stronger the more opaque; a row of kernels shares one scale.
import type { Results, RingKernels } from '../results.js';
import { html, type Markup } from './html.js';
import { pngAddress } from './png.js';

const positive = [43, 102, 196] as const;
const negative = [206, 66, 43] as const;

function kernelAddress(kernel: readonly number[], side: number, largest: number): string {
  const pixels = new Uint8Array(4 * side * side);
  kernel.forEach((value, i) => {
    pixels.set(value >= 0 ? positive : negative, 4 * i);
    pixels[4 * i + 3] = Math.round((255 * Math.abs(value)) / largest);
  });
  return pngAddress(side, side, 4, pixels);
}

function layerRow({ layer, side, kernels }: RingKernels): Markup {
  const largest = Math.max(...kernels.flat().map(Math.abs), Number.MIN_VALUE);
  const pictures = kernels.map(
    (kernel, i) => html`<img alt="kernel ${i} of ${layer}" src="${kernelAddress(kernel, side, largest)}" />`,
  );
  return html`<div class="kernels">
    <h3>${layer} <span>${side} × ${side}</span></h3>
    <div>${pictures}</div>
  </div>`;
}

export function kernelGallery({ kernels }: Results): Markup {
  return html`${kernels.map(layerRow)}`;
}
