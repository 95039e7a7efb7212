// Both networks' answers to the test digits, as they are, turned and mirrored.
import * as gmr from '../../lib/index.js';
import { classes, imageTensor } from './data.js';
import type { LabelledImages } from './idx.js';
import type { Network } from './networks.js';
import { pipelined } from './pipeline.js';
import type { Invariance, Point, Transform } from './results.js';
import type { Settings } from './settings.js';

/** Axes of `[N, C, H, W]` along which a mirror image is taken. */
const mirrorAxes = { none: null, 'left-right': -1, 'top-bottom': -2 } as const;

/** The transforms that are tested: upright first, then all angles, then the mirrors. */
export function testTransforms({ angleStep }: Settings): Transform[] {
  const turns = Array.from({ length: 360 / angleStep }, (_, i): Transform => ({
    degrees: i * angleStep,
    mirror: 'none',
  }));
  return [...turns, { degrees: 0, mirror: 'left-right' }, { degrees: 0, mirror: 'top-bottom' }];
}

/** Whether pixels only change places. */
export function isExact({ degrees }: Transform): boolean {
  return degrees % 90 === 0;
}

export function applyTransform(x: gmr.Tensor, { degrees, mirror }: Transform): gmr.Tensor {
  return gmr.ops.rotate(x, degrees, { flip: mirrorAxes[mirror] });
}

/** Position of the largest of the `classes` logits of image `i`. */
export function answerOf(logits: ArrayLike<number>, i: number): number {
  let best = 0;
  for (let k = 1; k < classes; ++k) if (logits[i * classes + k]! > logits[i * classes + best]!) best = k;
  return best;
}

/** Share of the labels that the logits answer. */
function accuracy(logits: Float32Array, labels: Uint8Array): number {
  let right = 0;
  labels.forEach((label, i) => (right += Number(answerOf(logits, i) === label)));
  return right / labels.length;
}

/** How far answers to transformed digits are from those to the digits as they are. */
export function compareLogits(upright: Float32Array, other: Float32Array): Omit<Invariance, 'transform'> {
  let changedPredictions = 0;
  let maxRelativeDifference = 0;
  for (let i = 0; i < upright.length / classes; ++i) {
    let difference = 0;
    let largest = 0;
    for (let k = i * classes; k < (i + 1) * classes; ++k) {
      difference = Math.max(difference, Math.abs(other[k]! - upright[k]!));
      largest = Math.max(largest, Math.abs(upright[k]!));
    }
    // A NaN must not pass for small: Math.max keeps it.
    maxRelativeDifference = Math.max(maxRelativeDifference, difference === 0 ? 0 : difference / largest);
    changedPredictions += Number(answerOf(upright, i) !== answerOf(other, i));
  }
  return { changedPredictions, maxRelativeDifference };
}

export interface Evaluation {
  points: Point[];
  invariance: Invariance[];
}

/**
 * Tests networks side by side on the same transformed digits.
 * @param onProgress Is told how many images have been answered, counted once a transform.
 * @returns One evaluation a network.
 * @throws GmrError `cancelled` after the batch under way, when `signal` says so.
 */
export async function evaluate(
  networks: readonly Network[],
  images: LabelledImages,
  settings: Settings,
  device: gmr.Device,
  signal: AbortSignal,
  onProgress: (imagesSeen: number) => void,
): Promise<Evaluation[]> {
  const transforms = testTransforms(settings);
  const batches = Math.ceil(images.count / settings.evaluationBatch);
  const batchSize = (b: number): number =>
    Math.min(settings.evaluationBatch, images.count - b * settings.evaluationBatch);
  const evaluations = networks.map((): Evaluation => ({ points: [], invariance: [] }));
  const upright: Float32Array[] = [];
  const logits = networks.map(() => new Float32Array(images.count * classes));
  for (const { model } of networks) model.eval();

  const finish = (transform: Transform): void => {
    evaluations.forEach(({ points, invariance }, n) => {
      points.push({ transform, accuracy: accuracy(logits[n]!, images.labels) });
      if (points.length === 1) upright.push(logits[n]!.slice());
      else if (isExact(transform)) invariance.push({ transform, ...compareLogits(upright[n]!, logits[n]!) });
    });
  };
  await pipelined(
    transforms.length * batches,
    (item) => {
      const b = item % batches;
      const positions = Int32Array.from({ length: batchSize(b) }, (_, i) => b * settings.evaluationBatch + i);
      const reads = gmr.noGrad(() =>
        gmr.scope(() => {
          const x = applyTransform(imageTensor(images, positions, device), transforms[Math.floor(item / batches)]!);
          return networks.map(({ model }) => model.forward(x).data());
        }),
      );
      return Promise.all(reads);
    },
    (answers, item) => {
      const b = item % batches;
      answers.forEach((answer, n) => logits[n]!.set(answer, b * settings.evaluationBatch * classes));
      if (b === batches - 1) finish(transforms[Math.floor(item / batches)]!);
      onProgress(Math.floor(item / batches) * images.count + b * settings.evaluationBatch + batchSize(b));
    },
    signal,
  );
  return evaluations;
}
