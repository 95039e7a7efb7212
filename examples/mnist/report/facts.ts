// Tables of numbers: the exact symmetries, the networks, what was used, the machine.
import type { NetworkResult, Results } from '../results.js';
import { transformName } from '../results.js';
import { duration, percentage, scientific } from '../terminal.js';
import { html, raised, share, thousands, type Markup } from './html.js';

function definitions(entries: readonly (readonly [string, string | Markup])[]): Markup {
  return html`<dl>
    ${entries.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

/** Right angles and mirrors: both networks' accuracy, and how little the GMR network's logits move. */
export function symmetryTable({ networks: { gmr, cnn } }: Results): Markup {
  const exact = gmr.points.flatMap((point, i) => (point.transform.degrees % 90 === 0 ? [{ ...point, i }] : []));
  const rows = exact.map(({ transform, accuracy, i }) => {
    const found = gmr.invariance.find(
      (entry) => entry.transform.degrees === transform.degrees && entry.transform.mirror === transform.mirror,
    );
    return html`<tr>
      <th scope="row">${transformName(transform)}</th>
      <td class="gmr strong">${share(accuracy)} %</td>
      <td class="cnn">${share(cnn.points[i]!.accuracy)} %</td>
      <td>${found === undefined ? '' : thousands(found.changedPredictions)}</td>
      <td>${found === undefined ? '' : raised(scientific(found.maxRelativeDifference))}</td>
    </tr>`;
  });
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col"></th>
          <th scope="col">GMR</th>
          <th scope="col">CNN</th>
          <th scope="col">answers changed</th>
          <th scope="col">logits moved</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

function networkCard(network: NetworkResult, kind: 'gmr' | 'cnn'): Markup {
  return html`<section class="network ${kind}">
    <h3>${network.name}</h3>
    <ol>
      ${network.layers.map((layer) => html`<li>${layer}</li>`)}
    </ol>
    ${definitions([
      ['parameters', thousands(network.parameters)],
      ['training', `${duration(network.trainSeconds)}, ${thousands(Math.round(network.imagesPerSecond))} images/s`],
      ['mean over angles', `${share(network.meanOverAngles)} %`],
      ['worst angle', `${share(network.worstAngle.accuracy)} % at ${network.worstAngle.degrees}°`],
    ])}
  </section>`;
}

export function networkCards({ networks }: Results): Markup {
  return html`<div class="columns">${networkCard(networks.gmr, 'gmr')}${networkCard(networks.cnn, 'cnn')}</div>`;
}

export function recipe({ settings, normalisation, evaluationSeconds, totalSeconds }: Results): Markup {
  const s = settings;
  return definitions([
    ['training images', `${thousands(s.trainImages)}, upright, not augmented`],
    ['test images', `${thousands(s.testImages)} at every multiple of ${s.angleStep}°, and two mirrors`],
    ['epochs, batch', `${s.epochs}, ${s.batch}`],
    ['optimiser', `SGD, Nesterov momentum ${s.momentum}, weight decay ${s.weightDecay}`],
    [
      'learning rate',
      `per step; cosine up to ${s.learningRate} over ${percentage(s.warmUp, 0)} % of the steps, cosine down to ${s.finalLearningRate}; weights averaged over the last ${percentage(s.averagedShare, 0)} %`,
    ],
    ['loss', `cross-entropy, label smoothing ${s.labelSmoothing}`],
    ['seed', String(s.seed)],
    [
      'pixels',
      `v / 255 / ${normalisation.divisor}, no mean subtracted: the background is exactly 0, and so is what a turn brings in from outside`,
    ],
    ['turning', 'bilinear about the centre; by right angles and in mirrors pixels only change places'],
    ['time', `${duration(totalSeconds)} in all, ${duration(evaluationSeconds)} of it testing`],
  ]);
}

export function machineFacts({ machine: m }: Results): Markup {
  return definitions([
    ['processor', `${m.cpu}, ${m.cores} ${m.cores === 1 ? 'core' : 'cores'}, ${m.memoryGib} GiB`],
    ['device', `${m.device}, ${m.level}, ${m.threads} ${m.threads === 1 ? 'thread' : 'threads'}`],
    ['software', `Node ${m.node}, ${m.platform}`],
    ['commit', m.commit ?? 'not known'],
    ['date', `${m.date.slice(0, 10)} ${m.date.slice(11, 16)} UTC`],
  ]);
}
