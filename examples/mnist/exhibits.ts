// What the report shows besides numbers: digits with answers, learned kernels, where a step's time goes.
import * as gmr from '../../lib/index.js';
import { classes, imageTensor, pixelDeviation } from './data.js';
import { answerOf, applyTransform } from './evaluate.js';
import type { LabelledImages } from './idx.js';
import { gmrNetwork, type Network } from './networks.js';
import type { RingKernels, SampleDigit, StepProfile } from './results.js';
import type { Settings } from './settings.js';
import { makeOptimizer, queueStep } from './train.js';

const sampleAngles = Array.from({ length: 8 }, (_, i) => 45 * i);
const shownKernels = 16;
const warmUpSteps = 2;
const timedSteps = 15;

/** The first test image of each digit at some angles, with both networks' answers. */
export async function sampleDigits(
  networks: { gmr: Network; cnn: Network },
  images: LabelledImages,
  device: gmr.Device,
): Promise<SampleDigit[]> {
  const positions = Array.from({ length: classes }, (_, label) => images.labels.indexOf(label)).filter((i) => i >= 0);
  const samples = positions.map((position): SampleDigit => ({ label: images.labels[position]!, views: [] }));
  const size = images.height * images.width;
  for (const degrees of sampleAngles) {
    const [pixels, ring, plain] = await Promise.all(
      gmr.noGrad(() =>
        gmr.scope(() => {
          const x = applyTransform(imageTensor(images, positions, device), { degrees, mirror: 'none' });
          return [x.data(), networks.gmr.model.forward(x).data(), networks.cnn.model.forward(x).data()] as const;
        }),
      ),
    );
    samples.forEach(({ views }, i) => {
      const ink = Uint8Array.from(pixels.subarray(i * size, (i + 1) * size), (value) =>
        Math.max(0, Math.min(255, Math.round(value * pixelDeviation * 255))),
      );
      views.push({
        degrees,
        pixels: Buffer.from(ink).toString('base64'),
        gmr: answerOf(ring, i),
        cnn: answerOf(plain, i),
      });
    });
  }
  return samples;
}

/** The kernels of all layers, laid out densely: the first input channel of the first outputs. */
export async function learnedKernels({ convolutions }: Network): Promise<RingKernels[]> {
  const result: RingKernels[] = [];
  for (const [layer, convolution] of convolutions) {
    if (!(convolution instanceof gmr.nn.GMRConv2d)) continue;
    const { weight, logSigmas, kernelSize } = convolution;
    if (logSigmas === null) continue;
    const side = kernelSize[0]!;
    const dense = await gmr.noGrad(() =>
      gmr.scope(() => [gmr.ops.ringExpand(gmr.ops.ringWeight(weight, logSigmas), kernelSize).data()]),
    )[0]!;
    const [outputs, inputs] = weight.shape as [number, number];
    const kernels = Array.from({ length: Math.min(outputs, shownKernels) }, (_, o) => {
      const from = o * inputs * side * side;
      return [...dense.subarray(from, from + side * side)];
    });
    result.push({ layer, side, kernels });
  }
  return result;
}

/** The median time of each pass over runs, odd in number, that all do the same. */
export function medianRows(runs: readonly (readonly gmr.ProfileRow[])[]): gmr.ProfileRow[] {
  return runs[0]!.map((row) => {
    const times = runs.map((run) => run.find(({ label, pass }) => label === row.label && pass === row.pass)!.ms);
    return { ...row, ms: times.toSorted((a, b) => a - b)[runs.length >> 1]! };
  });
}

/** Times training steps of a GMR network that is warmed up; a network of its own, so that nothing else is touched. */
export async function profileStep(
  images: LabelledImages,
  settings: Settings,
  device: gmr.Device,
): Promise<StepProfile> {
  const network = gmrNetwork(settings.seed, device);
  const optimizer = makeOptimizer(network, settings);
  const batch = Math.min(settings.batch, images.count);
  const positions = Int32Array.from({ length: batch }, (_, i) => i);
  network.model.train();
  const step = (): Promise<number> => queueStep(network, optimizer, images, positions, settings.labelSmoothing, device);
  for (let i = 0; i < warmUpSteps; ++i) await step();
  const runs: gmr.ProfileRow[][] = [];
  for (let i = 0; i < timedSteps; ++i) runs.push(await gmr.profile(device, step));
  return { batch, steps: timedSteps, rows: medianRows(runs) };
}
