import { parseArgs } from 'node:util';
import { fullSettings, quickSettings, type Settings } from './settings.js';

export interface Options {
  settings: Settings;
  quick: boolean;
  device: string;
  /** Folder for results.json and report.html. */
  out: string;
}

/** A mistake on the command line. */
export class UsageError extends Error {}

export const help = `Usage: npm run demo -- [options]

Trains a GMR network and an ordinary CNN on upright handwritten digits, then tests both on turned and mirrored ones.

  --quick          a small version, under a minute: fewer images and angles, same checks
  --epochs <n>     passes over the training images (${fullSettings.epochs}; with --quick ${quickSettings.epochs})
  --seed <n>       of the weights and of the order of the images (${fullSettings.seed})
  --out <folder>   where results.json and report.html go (demo-out)
  --device <name>  auto, cpu, cuda or cuda:<index> (auto)
  --help           this text

Exit code: 0 when the GMR network answers alike at right angles and in mirrors, 1 when it does not or on a failure,
2 for a mistake in the options, 130 after Ctrl-C.
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
    throw new UsageError((error as Error).message.replace(/\n.*/s, ''));
  }
  if (values.help) return undefined;
  if (values.out === '') throw new UsageError('--out must name a folder');
  if (values.device === '') throw new UsageError('--device must name a device');
  const standard = values.quick ? quickSettings : fullSettings;
  return {
    settings: {
      ...standard,
      epochs: integer('epochs', values.epochs, standard.epochs, 1, 1000),
      seed: integer('seed', values.seed, standard.seed, 0, 2 ** 31 - 1),
    },
    quick: values.quick,
    device: values.device,
    out: values.out,
  };
}
