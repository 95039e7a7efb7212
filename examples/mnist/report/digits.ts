// Test digits at several angles, each with both networks' answers.
import type { Results, SampleDigit } from '../results.js';
import { html, type Markup } from './html.js';
import { pngAddress } from './png.js';

/** A picture whose ink is black and whose background is clear, so that the page's colours show through. */
export function digitAddress(pixels: string, height: number, width: number): string {
  const opacity = Buffer.from(pixels, 'base64');
  const grey = new Uint8Array(2 * height * width);
  for (let i = 0; i < height * width; ++i) grey[2 * i + 1] = opacity[i]!;
  return pngAddress(width, height, 2, grey);
}

function answer(given: number, label: number, kind: 'gmr' | 'cnn'): Markup {
  const verdict = given === label ? 'right' : 'wrong';
  return html`<b class="${verdict}" title="${kind === 'gmr' ? 'GMR network' : 'ordinary CNN'}: ${verdict}"
    >${given}</b
  >`;
}

function row({ label, views }: SampleDigit, height: number, width: number): Markup {
  const cells = views.map(
    (view) =>
      html`<td>
        <img class="ink" alt="a ${label} at ${view.degrees}°" src="${digitAddress(view.pixels, height, width)}" />
        <span class="answers">${answer(view.gmr, label, 'gmr')}${answer(view.cnn, label, 'cnn')}</span>
      </td>`,
  );
  return html`<tr>
    ${cells}
  </tr>`;
}

/** How many of the views shown each network got right. */
export function tally(samples: readonly SampleDigit[]): { views: number; gmr: number; cnn: number } {
  const answers = samples.flatMap(({ label, views }) => views.map(({ gmr, cnn }) => ({ label, gmr, cnn })));
  return {
    views: answers.length,
    gmr: answers.filter(({ label, gmr }) => gmr === label).length,
    cnn: answers.filter(({ label, cnn }) => cnn === label).length,
  };
}

export function digitTable({ samples, image }: Results): Markup {
  const angles = samples[0]?.views.map(({ degrees }) => html`<th scope="col">${degrees}°</th>`) ?? [];
  return html`<table class="digits">
    <thead>
      <tr>
        ${angles}
      </tr>
    </thead>
    <tbody>
      ${samples.map((sample) => row(sample, image.height, image.width))}
    </tbody>
  </table>`;
}
