// Loss against epochs, on a logarithmic axis.
import { scaleLinear, scaleLog } from 'd3-scale';
import { curveMonotoneX, line } from 'd3-shape';
import type { Results } from '../results.js';
import { at, html, type Markup } from './html.js';

const size = { width: 560, height: 330 };
const margin = { left: 44, right: 14, top: 12, bottom: 40 };

/** 1, 2, 5 times powers of ten within the domain. */
function ticks([low, high]: readonly [number, number]): number[] {
  const values: number[] = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; ++power) {
    for (const factor of [1, 2, 5]) {
      const value = Number((factor * 10 ** power).toPrecision(1));
      if (value >= low && value <= high) values.push(value);
    }
  }
  return values;
}

export function lossCurves({ networks, settings }: Results): Markup {
  const all = [...networks.gmr.loss, ...networks.cnn.loss].map(({ loss }) => loss).filter((loss) => loss > 0);
  const domain = [Math.min(...all) * 0.9, Math.max(...all) * 1.1] as const;
  const x = scaleLinear([0, settings.epochs], [margin.left, size.width - margin.right]);
  const y = scaleLog(domain, [size.height - margin.bottom, margin.top]);
  const path = line<{ epoch: number; loss: number }>()
    .defined(({ loss }) => loss > 0)
    .x(({ epoch }) => x(epoch))
    .y(({ loss }) => y(loss))
    .curve(curveMonotoneX)
    .digits(2);
  const rows = ticks(domain).map(
    (value) =>
      html`<line x1="${margin.left}" x2="${size.width - margin.right}" y1="${at(y(value))}" y2="${at(y(value))}" />`,
  );
  const losses = ticks(domain).map(
    (value) => html`<text x="${margin.left - 8}" y="${at(y(value) + 4)}" text-anchor="end">${value}</text>`,
  );
  const epochs = x
    .ticks(Math.min(8, 2 * settings.epochs))
    .map(
      (value) =>
        html`<text x="${at(x(value))}" y="${size.height - margin.bottom + 18}" text-anchor="middle">${value}</text>`,
    );
  const curves = (['cnn', 'gmr'] as const).map(
    (kind) => html`<path class="${kind} line" d="${path(networks[kind].loss) ?? ''}" />`,
  );
  return html`<svg
    class="plot"
    viewBox="0 0 ${size.width} ${size.height}"
    role="img"
    aria-label="Training loss of both networks"
  >
    <g class="grid">${rows}</g>
    <g class="axis">
      ${losses}${epochs}
      <text x="${(margin.left + size.width - margin.right) / 2}" y="${size.height - 4}" text-anchor="middle">
        epoch
      </text>
    </g>
    ${curves}
  </svg>`;
}
