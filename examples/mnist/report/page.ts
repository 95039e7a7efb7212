// The report: one HTML file that needs nothing else, drawn from the results alone.
import type { NetworkResult, Results } from '../results.js';
import { fullLimits } from '../settings.js';
import { accuracyNotPromised, duration } from '../terminal.js';
import { lossCurves } from './curves.js';
import { digitTable, tally } from './digits.js';
import { machineFacts, networkCards, recipe, symmetryTable } from './facts.js';
import { html, Markup, raised, share, thousands } from './html.js';
import { kernelGallery } from './kernels.js';
import { polarPlot } from './polar.js';
import { style } from './style.js';
import { timingTable } from './timing.js';

function accuracyAt({ points }: NetworkResult, degrees: number, mirror: string): number {
  return points.find(({ transform }) => transform.degrees === degrees && transform.mirror === mirror)?.accuracy ?? 0;
}

function figure(title: string, gmr: number, cnn: number): Markup {
  return html`<div>
    <h3>${title}</h3>
    <b class="gmr">${share(gmr)} %<span>GMR</span></b>
    <b class="cnn">${share(cnn)} %<span>CNN</span></b>
  </div>`;
}

/** Whether the measured worst angle bears out what the full demo promises. */
function readsWell({ networks: { gmr } }: Results): boolean {
  return gmr.worstAngle.accuracy >= fullLimits.gmrWorst;
}

function headline({ networks: { gmr, cnn } }: Results): Markup {
  const pair = (title: string, degrees: number, mirror: string): Markup =>
    figure(title, accuracyAt(gmr, degrees, mirror), accuracyAt(cnn, degrees, mirror));
  return html`<div class="headline">
    ${pair('Upright', 0, 'none')} ${pair('Turned by a quarter', 90, 'none')}
    ${pair('Mirrored left-right', 0, 'left-right')}
    ${figure('Mean over all angles', gmr.meanOverAngles, cnn.meanOverAngles)}
  </div>`;
}

function promise({ promise: { checks, accuracyChecked, kept } }: Results): Markup {
  const broken = checks.filter((check) => !check.kept).length;
  const all =
    checks.length === 1
      ? 'The promise of this demo was kept.'
      : `All ${checks.length} promises of this demo were kept.`;
  const outcome = kept ? all : `${broken} of ${checks.length} promises were not kept.`;
  return html`<section class="promise ${kept ? 'kept' : 'broken'}">
    <p>${outcome} ${accuracyChecked ? '' : accuracyNotPromised}</p>
    <ul>
      ${checks.map(
        (check) =>
          html`<li class="${check.kept ? 'kept' : 'broken'}">
            ${check.kept ? '' : 'Not kept: '}${raised(check.claim)}. <b>${raised(check.measured)}</b>
          </li>`,
      )}
    </ul>
  </section>`;
}

const key = html`<p class="key"><span class="gmr">GMR network</span><span class="cnn">ordinary CNN</span></p>`;

function block(title: string, caption: string | Markup, content: Markup): Markup {
  return html`<section class="block">
    <h2>${title}</h2>
    <p class="caption">${caption}</p>
    ${content}
  </section>`;
}

function digitsCaption({ samples }: Results): Markup {
  const { views, gmr, cnn } = tally(samples);
  return html`The first test digit of each kind, not picked. Below each, what the GMR network (left) and the CNN (right)
    took it for: <span class="sample right">right</span> or <span class="sample wrong">wrong</span>. Here the GMR
    network reads ${gmr} of ${views}, the CNN ${cnn}.`;
}

function body(results: Results): Markup {
  const { settings, networks, quick, totalSeconds, profile } = results;
  return html`<main>
    <header>
      <p class="over">gmr-conv · handwritten digits${quick ? ' · quick version' : ''}</p>
      <h1>Trained upright.<br />${readsWell(results) ? 'Read at any angle.' : 'Tested turned and mirrored.'}</h1>
      <p class="lead">
        Two small networks learned ${thousands(settings.trainImages)} handwritten digits exactly as they were written.
        Then each read ${thousands(settings.testImages)} new ones: upright, turned, and mirrored. The kernels of one are
        Gaussian-mixture rings, which look the same from every side.
        ${quick ? 'The quick version trains too little for good accuracies: it shows that the GMR network answers a digit turned by a right angle as it answers the upright one.' : ''}
      </p>
    </header>
    ${headline(results)} ${promise(results)}
    ${block(
      'Accuracy against angle',
      'The distance from the centre is the share of digits recognised, in the direction in which their tops point. Right angles only move pixels to other places, and there the GMR network answers alike; at any other angle the picture has to be resampled on its grid, which costs some digits.',
      html`<div class="columns wide-left">
        <div>${polarPlot(results)}</div>
        <div>${key}${symmetryTable(results)}</div>
      </div>`,
    )}
    ${block('What they saw, what they said', digitsCaption(results), digitTable(results))}
    ${block(
      'Learned kernels',
      'All taps at one distance share a weight, and neighbouring distances are mixed by Gaussians of learned width. Blue is positive, red negative; the first input channel of each layer.',
      kernelGallery(results),
    )}
    ${block(
      'Training',
      `Loss on the training digits. The GMR network took ${duration(networks.gmr.trainSeconds)}, the CNN ${duration(networks.cnn.trainSeconds)}.`,
      html`<div class="columns">
        <div>${key}${lossCurves(results)}</div>
        ${recipe(results)}
      </div>`,
    )}
    ${block('The two networks', 'Trained alike, on the same images in the same order.', networkCards(results))}
    ${block(
      'Where the time goes',
      `A training step of the GMR network on ${profile.batch} images, by module and pass: medians of ${profile.steps} steps, ms.`,
      timingTable(results),
    )}
    ${block('The machine', `The whole demo took ${duration(totalSeconds)} here.`, machineFacts(results))}
    <footer>
      GMR convolution: Du, Zhang, Dvornek, Onofrey, arXiv 2504.02819. Digits: MNIST. The numbers on this page are in
      results.json beside it; npm run demo makes both anew.
    </footer>
  </main>`;
}

/** The whole page. */
export function renderReport(results: Results): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>gmr-conv: handwritten digits at any angle</title>
        <style>
          ${new Markup(style)}
        </style>
      </head>
      <body>
        ${body(results)}
      </body>
    </html>`.text;
}
