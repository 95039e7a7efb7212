import * as gmr from '../../lib/index.js';
import { stepsBetweenSamples, WeightAverage } from './average.js';
import { imageTensor, labelTensor } from './data.js';
import type { LabelledImages } from './idx.js';
import type { Network } from './networks.js';
import { pipelined } from './pipeline.js';
import { learningRateAt, type Settings } from './settings.js';

/** Points of the loss curve, at most. */
const curvePoints = 120;
/** Of `evaluationBatch` images: the running statistics forget what is some ten batches old. */
const statisticsBatches = 40;
/** Weight of the newest loss in the running mean that is shown. */
const newestShare = 0.05;

export interface Training {
  seconds: number;
  imagesPerSecond: number;
  /** Mean loss over spans of steps; `epoch` is where the span ends. */
  loss: { epoch: number; loss: number }[];
}

/**
 * One step without waiting for it: queues forward pass, backward pass and update.
 * @returns The loss, once the device has got there. (A scope refuses to return a promise, since its work must not go on after
 *   it; a read that is under way holds its own memory, and comes out in an array.)
 */
export function queueStep(
  { model }: Network,
  optimizer: gmr.optim.SGD,
  images: LabelledImages,
  positions: Int32Array,
  labelSmoothing: number,
  device: gmr.Device,
): Promise<number> {
  return gmr.scope(() => {
    const x = imageTensor(images, positions, device);
    const targets = labelTensor(images, positions, device);
    const loss = gmr.ops.crossEntropy(model.forward(x), targets, { labelSmoothing });
    loss.backward();
    optimizer.step();
    optimizer.zeroGrad();
    return [loss.item()];
  })[0]!;
}

/** SGD as the settings want it. The learning rate is set before each step. */
export function makeOptimizer({ model }: Network, { learningRate, momentum, weightDecay }: Settings): gmr.optim.SGD {
  return new gmr.optim.SGD(model, { lr: learningRate, momentum, nesterov: true, weightDecay });
}

/** Batch normalisation's statistics for weights that no step has had: forward passes in training mode. */
async function renewStatistics(
  { model }: Network,
  images: LabelledImages,
  settings: Settings,
  device: gmr.Device,
  signal: AbortSignal,
): Promise<void> {
  const batch = settings.evaluationBatch;
  const batches = Math.min(statisticsBatches, Math.floor(images.count / batch));
  const forward = (b: number): Promise<unknown> => {
    const positions = Int32Array.from({ length: batch }, (_, i) => b * batch + i);
    const logits = gmr.noGrad(() => gmr.scope(() => [model.forward(imageTensor(images, positions, device)).data()]));
    return logits[0]!;
  };
  await pipelined(batches, forward, () => {}, signal);
}

/** Means of the losses over spans of steps. */
function lossCurve(losses: readonly number[], stepsPerEpoch: number): Training['loss'] {
  const span = Math.max(1, Math.ceil(losses.length / curvePoints));
  const curve: Training['loss'] = [];
  for (let start = 0; start < losses.length; start += span) {
    const part = losses.slice(start, start + span);
    const loss = part.reduce((sum, value) => sum + value, 0) / part.length;
    curve.push({ epoch: (start + part.length) / stepsPerEpoch, loss });
  }
  return curve;
}

/**
 * Trains a network on images as they are, in an order that the seed decides.
 * @param onProgress Is told the number of images seen and the running mean of the loss.
 * @throws GmrError `cancelled` after the step under way, when `signal` says so.
 */
export async function train(
  network: Network,
  images: LabelledImages,
  settings: Settings,
  device: gmr.Device,
  signal: AbortSignal,
  onProgress: (imagesSeen: number, loss: number) => void,
): Promise<Training> {
  const { batch, epochs, labelSmoothing } = settings;
  const stepsPerEpoch = Math.ceil(images.count / batch);
  const steps = epochs * stepsPerEpoch;
  const generator = new gmr.Generator(settings.seed);
  using optimizer = makeOptimizer(network, settings);
  const losses: number[] = [];
  const average = new WeightAverage();
  const firstAveraged = Math.round((1 - settings.averagedShare) * steps);
  const start = performance.now();
  let order = new Int32Array(0);
  let mean: number | undefined;
  network.model.train();
  await pipelined(
    steps,
    (step) => {
      const inEpoch = step % stepsPerEpoch;
      if (inEpoch === 0) order = Int32Array.from(generator.permutation(images.count));
      for (const group of optimizer.groups) group.lr = learningRateAt(step, steps, settings);
      const positions = order.subarray(inEpoch * batch, (inEpoch + 1) * batch);
      const loss = queueStep(network, optimizer, images, positions, labelSmoothing, device);
      if (step < firstAveraged || (steps - 1 - step) % stepsBetweenSamples !== 0) return loss;
      return Promise.all([loss, average.add(network.model)]).then(([value]) => value);
    },
    (loss, step) => {
      losses.push(loss);
      mean = mean === undefined ? loss : mean + newestShare * (loss - mean);
      const inEpoch = Math.min(images.count, ((step % stepsPerEpoch) + 1) * batch);
      onProgress(Math.floor(step / stepsPerEpoch) * images.count + inEpoch, mean);
    },
    signal,
  );
  average.load(network.model);
  await renewStatistics(network, images, settings, device, signal);
  const seconds = (performance.now() - start) / 1000;
  return { seconds, imagesPerSecond: (epochs * images.count) / seconds, loss: lossCurve(losses, stepsPerEpoch) };
}
