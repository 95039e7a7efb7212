import { parseArgs } from 'node:util';
import {
  fullLimits,
  fullSettings,
  quickLimits,
  quickSettings,
  type AccuracyLimits,
  type Settings,
} from './settings.js';

export interface Options {
  settings: Settings;
  quick: boolean;
  /** What the accuracies have to be; null where epochs or seed are not those for which this is known. */
  accuracyLimits: AccuracyLimits | null;
  device: string;
  /** Folder for results.json and report.html. */
  out: string;
}

/** A mistake on the command line, in one line, whatever stood there. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message.replace(/[\n\r\u2028\u2029].*/s, ''));
  }
}

export const help = `Usage: npm run demo -- [options]

Trains a GMR network and an ordinary CNN on upright handwritten digits, then tests both on turned and mirrored ones.

  --quick          a small version, under a minute: fewer images and angles, same checks
  --epochs <n>     passes over the training images (${fullSettings.epochs}; with --quick ${quickSettings.epochs})
  --seed <n>       of the weights and of the order of the images (${fullSettings.seed})
  --out <folder>   where results.json and report.html go (demo-out)
  --device <name>  auto, cpu, cuda or cuda:<index> (auto)
  --help           this text

Exit code: 0 when the promises are kept, 1 when one is not or on a failure, 2 for a mistake in the options, 130 after
Ctrl-C. The promises: the GMR network answers alike at right angles and in mirrors, whatever the options; and accuracies
of both networks, unless --epochs or --seed differ from the standard.
`;

function integer(name: string, text: string | undefined, standard: number, min: number, max: number): number {
  if (text === undefined) return standard;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`--${name} must be an integer from ${min} to ${max}, not "${text}"`);
  }
  return value;
}

/**
 * Reads the command line.
 * @returns undefined when help was asked for.
 * @throws UsageError with one line that says what is wrong.
 */
export function parseOptions(args: readonly string[]): Options | undefined {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean', default: false },
        epochs: { type: 'string' },
        seed: { type: 'string' },
        out: { type: 'string', default: 'demo-out' },
        device: { type: 'string', default: 'auto' },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (values.help) return undefined;
  if (values.out === '') throw new UsageError('--out must name a folder');
  if (values.device === '') throw new UsageError('--device must name a device');
  const standard = values.quick ? quickSettings : fullSettings;
  const epochs = integer('epochs', values.epochs, standard.epochs, 1, 1000);
  const seed = integer('seed', values.seed, standard.seed, 0, 2 ** 31 - 1);
  const isStandard = epochs === standard.epochs && seed === standard.seed;
  return {
    settings: { ...standard, epochs, seed },
    quick: values.quick,
    accuracyLimits: isStandard ? (values.quick ? quickLimits : fullLimits) : null,
    device: values.device,
    out: values.out,
  };
}
