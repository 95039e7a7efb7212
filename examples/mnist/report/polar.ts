// Accuracy against angle: a digit's accuracy is drawn where its top points after the turn.
import { scaleLinear } from 'd3-scale';
import { curveLinearClosed, lineRadial } from 'd3-shape';
import type { NetworkResult, Results, SampleDigit } from '../results.js';
import { percent } from '../terminal.js';
import { at, html, type Markup } from './html.js';
import { digitAddress } from './digits.js';

const size = 480;
const outer = 188;
const digitRadius = 216;
const digitSize = 40;
const rings = [0.2, 0.4, 0.6, 0.8, 1];
const labelledRings = [0.2, 0.4, 0.6, 0.8];
const labelAngle = (157.5 * Math.PI) / 180;

const radius = scaleLinear([0, 1], [0, outer]);

/** Turns are counter-clockwise; d3's radial angles run clockwise from the top. */
function radians(degrees: number): number {
  return (-degrees * Math.PI) / 180;
}

function place(angle: number, distance: number): { x: number; y: number } {
  return { x: distance * Math.sin(angle), y: -distance * Math.cos(angle) };
}

interface Turn {
  degrees: number;
  accuracy: number;
}

function grid(): Markup {
  const spokes = Array.from({ length: 8 }, (_, i) => {
    const { x, y } = place(radians(45 * i), outer);
    return html`<line x2="${at(x)}" y2="${at(y)}" />`;
  });
  const circles = rings.map((value) => html`<circle r="${at(radius(value))}" />`);
  return html`<g class="grid">${spokes}${circles}</g>`;
}

function gridLabels(): Markup {
  const labels = labelledRings.map((value) => {
    const { x, y } = place(labelAngle, radius(value));
    return html`<text x="${at(x)}" y="${at(y + 4)}">${Math.round(100 * value)} %</text>`;
  });
  return html`<g class="axis halo" text-anchor="middle">${labels}</g>`;
}

function curve(points: readonly Turn[], kind: string): Markup {
  const line = lineRadial<Turn>()
    .angle(({ degrees }) => radians(degrees))
    .radius(({ accuracy }) => radius(accuracy))
    .curve(curveLinearClosed)
    .digits(2);
  const dots = points.map(({ degrees, accuracy }) => {
    const { x, y } = place(radians(degrees), radius(accuracy));
    return html`<circle cx="${at(x)}" cy="${at(y)}" r="2.4"><title>${degrees}°: ${percent(accuracy)}</title></circle>`;
  });
  return html`<g class="${kind}"
    ><path class="area line" d="${line([...points]) ?? ''}" /><g class="dots">${dots}</g></g
  >`;
}

function rim(sample: SampleDigit | undefined, height: number, width: number): Markup[] {
  return (sample?.views ?? []).map((view) => {
    const { x, y } = place(radians(view.degrees), digitRadius);
    return html`<image
      class="ink"
      x="${at(x - digitSize / 2)}"
      y="${at(y - digitSize / 2)}"
      width="${digitSize}"
      height="${digitSize}"
      href="${digitAddress(view.pixels, height, width)}"
      ><title>${view.degrees}°</title></image
    >`;
  });
}

function turns({ points }: NetworkResult): Turn[] {
  return points
    .filter(({ transform }) => transform.mirror === 'none')
    .map(({ transform, accuracy }) => ({ degrees: transform.degrees, accuracy }));
}

/** The plot. One of the sample digits stands around it as it was turned. */
export function polarPlot({ networks, samples, image }: Results): Markup {
  const four = samples.find(({ label }) => label === 4) ?? samples[0];
  return html`<svg
    class="plot polar"
    viewBox="${-size / 2} ${-size / 2} ${size} ${size}"
    role="img"
    aria-label="Accuracy against angle for both networks"
  >
    ${grid()}${curve(turns(networks.cnn), 'cnn')}${curve(turns(networks.gmr), 'gmr')}${gridLabels()}
    ${rim(four, image.height, image.width)}
  </svg>`;
}
