// The demo: trains a GMR network and an ordinary CNN on upright digits, tests both at all angles, writes the report.
import { constants } from 'node:os';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import * as gmr from '../../lib/index.js';
import { loadDigits, pixelDeviation, type Digits } from './data.js';
import { evaluate, testTransforms, type Evaluation } from './evaluate.js';
import { learnedKernels, profileStep, sampleDigits } from './exhibits.js';
import { describeMachine } from './machine.js';
import { gmrNetwork, plainNetwork, type Network } from './networks.js';
import { help, parseOptions, UsageError, type Options } from './options.js';
import { stopIfAsked } from './pipeline.js';
import { checkPromises } from './promises.js';
import { renderReport } from './report/page.js';
import { networkResult, writeWhole, type Results } from './results.js';
import type { Settings } from './settings.js';
import { duration, startProgress, summary, verdict } from './terminal.js';
import { train, type Training } from './train.js';

const interrupted = 128 + constants.signals.SIGINT;
/** A terminal and npm may each pass on the same Ctrl-C; only one that comes later is a second one. */
const secondInterruptMs = 1000;

/** Ctrl-C asks the work to stop after the step under way; once more ends the process. */
function stopOnInterrupt(): AbortSignal {
  const controller = new AbortController();
  let first: number | undefined;
  const stop = (): void => {
    if (first === undefined) {
      first = performance.now();
      controller.abort();
    } else if (performance.now() - first > secondInterruptMs) {
      process.exit(interrupted);
    }
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}

async function trainWithProgress(
  network: Network,
  digits: Digits,
  settings: Settings,
  device: gmr.Device,
  signal: AbortSignal,
): Promise<Training> {
  const { epochs } = settings;
  const { count } = digits.train;
  const progress = startProgress(`training ${network.name.padEnd(14)}`, epochs * count, epochs);
  try {
    return await train(network, digits.train, settings, device, signal, (seen, loss) =>
      progress.update(seen, `epoch ${Math.ceil(seen / count)} of ${epochs}, loss ${loss.toFixed(3)}`),
    );
  } finally {
    progress.stop();
  }
}

async function evaluateWithProgress(
  networks: readonly Network[],
  digits: Digits,
  settings: Settings,
  device: gmr.Device,
  signal: AbortSignal,
): Promise<{ evaluations: Evaluation[]; seconds: number }> {
  const transforms = testTransforms(settings).length;
  const progress = startProgress('testing both'.padEnd(23), transforms * digits.test.count, transforms);
  const start = performance.now();
  try {
    const evaluations = await evaluate(networks, digits.test, settings, device, signal, (seen) =>
      progress.update(seen, `${Math.floor(seen / digits.test.count)} of ${transforms} views`),
    );
    return { evaluations, seconds: (performance.now() - start) / 1000 };
  } finally {
    progress.stop();
  }
}

async function compute(
  { settings, quick, accuracyLimits }: Options,
  device: gmr.Device,
  signal: AbortSignal,
): Promise<Results> {
  const start = performance.now();
  const digits = await loadDigits(settings.trainImages, settings.testImages);
  const networks = { gmr: gmrNetwork(settings.seed, device), cnn: plainNetwork(settings.seed, device) };
  const profile = await profileStep(digits.train, settings, device);
  const ring = await trainWithProgress(networks.gmr, digits, settings, device, signal);
  const plain = await trainWithProgress(networks.cnn, digits, settings, device, signal);
  const { evaluations, seconds } = await evaluateWithProgress(
    [networks.gmr, networks.cnn],
    digits,
    settings,
    device,
    signal,
  );
  const tested = {
    gmr: networkResult(networks.gmr, ring, evaluations[0]!),
    cnn: networkResult(networks.cnn, plain, evaluations[1]!),
  };
  return {
    format: 'gmr-conv-mnist-demo',
    version: 2,
    quick,
    settings: { ...settings, trainImages: digits.train.count, testImages: digits.test.count },
    normalisation: { divisor: pixelDeviation, shift: 0 },
    image: { height: digits.test.height, width: digits.test.width },
    machine: await describeMachine(device),
    networks: tested,
    promise: checkPromises(tested, digits.test.count, accuracyLimits),
    samples: await sampleDigits(networks, digits.test, device),
    kernels: await learnedKernels(networks.gmr),
    profile,
    evaluationSeconds: seconds,
    totalSeconds: (performance.now() - start) / 1000,
  };
}

async function openDevice(name: string): Promise<gmr.Device> {
  try {
    return await gmr.device(name as gmr.DeviceSpec);
  } catch (error) {
    if (error instanceof gmr.GmrError && error.code === 'invalid_argument') throw new UsageError(error.message);
    throw error;
  }
}

/** @returns The exit code. */
async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(help);
    return 0;
  }
  const device = await openDevice(options.device);
  const { settings, out } = options;
  const images = settings.trainImages.toLocaleString('en');
  process.stdout.write(
    `  ${images} upright digits, ${settings.epochs} epoch${settings.epochs === 1 ? '' : 's'}, ` +
      `seed ${settings.seed}, on ${device.toString()}\n\n`,
  );
  const signal = stopOnInterrupt();
  const results = await compute(options, device, signal);
  stopIfAsked(signal);
  const json = await writeWhole(out, 'results.json', `${JSON.stringify(results, null, 1)}\n`);
  const report = await writeWhole(out, 'report.html', renderReport(results));
  process.stdout.write(
    `\n${summary(results)}\n${verdict(results)}\n  ${duration(results.totalSeconds)}. Numbers: ${json}\n` +
      `  Report: ${pathToFileURL(resolve(report)).href}\n`,
  );
  return results.promise.kept ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`demo: ${error.message} (--help lists the options)\n`);
    process.exitCode = 2;
  } else if (error instanceof gmr.GmrError && error.code === 'cancelled') {
    process.stderr.write('\n  Stopped; nothing was written.\n');
    process.exitCode = interrupted;
  } else {
    process.stderr.write(`\ndemo: ${error instanceof gmr.GmrError ? error.message : String((error as Error).stack)}\n`);
    process.exitCode = 1;
  }
}
