// What the demo prints while it runs: a progress bar on a terminal; elsewhere a plain line every few seconds and at the
// end of each stage.
import { SingleBar } from 'cli-progress';
import type { Results } from './results.js';
import { transformName } from './results.js';

const plainEverySeconds = 5;

export const accuracyNotPromised =
  'Accuracies are not promised here: they are for the standard number of epochs and the standard seed.';

export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/**
 * A share of 1 in per cent, without the sign, rounded as one does on paper: 0.1545 is 15.5 with one digit. (`toFixed` rounds the binary
 * number, which is a little less here; `Intl` goes by the shortest decimal one.)
 */
export function percentage(share: number, digits: number): string {
  return share
    .toLocaleString('en', {
      style: 'percent',
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
      useGrouping: false,
    })
    .slice(0, -1);
}

export function percent(share: number): string {
  return `${percentage(share, 2)} %`;
}

/** Of the minus sign and the digits. */
export const superscripts = '⁻⁰¹²³⁴⁵⁶⁷⁸⁹';

/** A number with its power of ten, e.g. 2.4 × 10⁻⁶. */
export function scientific(value: number, digits = 1): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const [mantissa, exponent] = value.toExponential(digits).split('e') as [string, string];
  const raised = Array.from(String(Number(exponent)), (sign) => superscripts['-0123456789'.indexOf(sign)]).join('');
  return `${mantissa === '1' ? '' : `${mantissa} × `}10${raised}`;
}

export interface Progress {
  /** `note` is short, e.g. the loss. */
  update(done: number, note: string): void;
  stop(): void;
}

/** Shows how far `total` images have got, in `stages` of as many each, how fast, and how long it will take. */
export function startProgress(
  title: string,
  total: number,
  stages: number,
  out: Pick<NodeJS.WriteStream, 'isTTY' | 'write'> = process.stdout,
): Progress {
  const start = performance.now();
  const speed = (done: number): number => done / Math.max(1e-3, (performance.now() - start) / 1000);
  const left = (done: number): string =>
    done === 0 || done === total ? '' : `${duration((total - done) / speed(done))} left`;
  const rate = (done: number): string => `${Math.round(speed(done)).toLocaleString('en')} images/s`;

  if (!out.isTTY) {
    let last = start;
    let ended = 0;
    return {
      update(done, note) {
        const stage = Math.floor((done * stages) / total);
        if (stage === ended && performance.now() - last < plainEverySeconds * 1000) return;
        last = performance.now();
        ended = stage;
        const share = `${Math.floor((100 * done) / total)} %`.padStart(5);
        out.write(`  ${title} ${share}  ${[note, rate(done), left(done)].filter(Boolean).join('  ')}\n`);
      },
      stop() {},
    };
  }
  const bar = new SingleBar({
    format: `  ${title} {bar} {percentage} %  {note}  {rate}  {left}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    hideCursor: true,
    fps: 5,
    gracefulExit: false,
    stream: out as NodeJS.WriteStream,
  });
  bar.start(total, 0, { note: '', rate: '', left: '' });
  return {
    update: (done, note) => bar.update(done, { note, rate: rate(done), left: left(done) }),
    stop: () => bar.stop(),
  };
}

/** The closing table; of the quick version with a line that it is no comparison. */
export function summary(results: Results): string {
  const { gmr, cnn } = results.networks;
  const rows: [string, string, string][] = [
    ['', 'GMR network', 'ordinary CNN'],
    ['parameters', gmr.parameters.toLocaleString('en'), cnn.parameters.toLocaleString('en')],
    ['training', duration(gmr.trainSeconds), duration(cnn.trainSeconds)],
  ];
  gmr.points.forEach(({ transform, accuracy }, i) => {
    if (transform.degrees % 90 === 0) {
      rows.push([transformName(transform), percent(accuracy), percent(cnn.points[i]!.accuracy)]);
    }
  });
  rows.push(['mean over angles', percent(gmr.meanOverAngles), percent(cnn.meanOverAngles)]);
  rows.push(['worst angle', percent(gmr.worstAngle.accuracy), percent(cnn.worstAngle.accuracy)]);
  const table = rows.map(([name, a, b]) => `  ${name.padEnd(24)}${a.padStart(14)}${b.padStart(16)}\n`).join('');
  return results.quick ? `${table}  The quick version trains too little to compare accuracies.\n` : table;
}

/** Which promises were checked and how each came out, one a line. */
export function verdict({ promise: { checks, accuracyChecked } }: Results): string {
  const lines = checks.map(({ claim, measured, kept }) => `  ${kept ? 'kept  ' : 'BROKEN'}  ${claim} (${measured})\n`);
  const rest = accuracyChecked ? '' : `  ${accuracyNotPromised}\n`;
  return lines.join('') + rest;
}
