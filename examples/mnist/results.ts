// The shape of results.json, from which the report is drawn.
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Evaluation } from './evaluate.js';
import { parameterCount, type Network } from './networks.js';
import type { Settings } from './settings.js';
import type { Training } from './train.js';

/** A turn by `degrees`, counter-clockwise, after a mirror image if there is one. */
export interface Transform {
  degrees: number;
  mirror: 'none' | 'left-right' | 'top-bottom';
}

export interface Point {
  transform: Transform;
  /** Share of the test digits that were recognised, 0 to 1. */
  accuracy: number;
}

/** Answers to transformed digits against those to the digits as they are. */
export interface Invariance {
  transform: Transform;
  /** Test digits that were answered differently. */
  changedPredictions: number;
  /** Largest |difference of a logit| / largest |logit| of an image, over all images. */
  maxRelativeDifference: number;
}

export interface NetworkResult {
  name: string;
  /** What it is made of, one line a layer. */
  layers: string[];
  parameters: number;
  trainSeconds: number;
  imagesPerSecond: number;
  /** Mean loss over spans of steps; `epoch` is where the span ends, counted in epochs. */
  loss: { epoch: number; loss: number }[];
  /** All angles, then the two mirrors. */
  points: Point[];
  /** The turns by 90, 180 and 270 degrees and the two mirrors. */
  invariance: Invariance[];
  upright: number;
  meanOverAngles: number;
  worstAngle: { degrees: number; accuracy: number };
}

/** A test digit at some angles, as the networks saw it. */
export interface SampleDigit {
  label: number;
  views: {
    degrees: number;
    /** Base64 of height x width bytes, 0 background to 255 ink. */
    pixels: string;
    gmr: number;
    cnn: number;
  }[];
}

export interface RingKernels {
  layer: string;
  side: number;
  /** Dense kernels, side x side values each, of the first input channel. */
  kernels: number[][];
}

/** Time of a training step of the GMR network by module and pass, each the median of some steps. */
export interface StepProfile {
  batch: number;
  steps: number;
  rows: { label: string; pass: string; count: number; ms: number }[];
}

export interface PromiseCheck {
  claim: string;
  measured: string;
  kept: boolean;
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGib: number;
  device: string;
  level: string;
  threads: number;
  node: string;
  platform: string;
  commit: string | null;
  date: string;
}

export interface Results {
  format: 'gmr-conv-mnist-demo';
  version: 2;
  quick: boolean;
  settings: Settings;
  normalisation: { divisor: number; shift: number };
  image: { height: number; width: number };
  machine: Machine;
  totalSeconds: number;
  evaluationSeconds: number;
  networks: { gmr: NetworkResult; cnn: NetworkResult };
  promise: {
    checks: PromiseCheck[];
    /** Whether accuracies are among the checks: they are promised for the settings as they stand. */
    accuracyChecked: boolean;
    kept: boolean;
  };
  samples: SampleDigit[];
  kernels: RingKernels[];
  profile: StepProfile;
}

/** What one network's training and test came to. */
export function networkResult(network: Network, training: Training, { points, invariance }: Evaluation): NetworkResult {
  const angles = points.filter(({ transform }) => transform.mirror === 'none');
  const worst = angles.reduce((least, point) => (point.accuracy < least.accuracy ? point : least));
  return {
    name: network.name,
    layers: network.layers,
    parameters: parameterCount(network),
    trainSeconds: training.seconds,
    imagesPerSecond: training.imagesPerSecond,
    loss: training.loss,
    points,
    invariance,
    upright: points[0]!.accuracy,
    meanOverAngles: angles.reduce((sum, { accuracy }) => sum + accuracy, 0) / angles.length,
    worstAngle: { degrees: worst.transform.degrees, accuracy: worst.accuracy },
  };
}

/** Replaces a file in one move: readers see the old one or the new one, whole. */
export async function writeWhole(folder: string, name: string, text: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  const temporary = join(folder, `.${name}.${process.pid}`);
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return path;
}

export function transformName({ degrees, mirror }: Transform): string {
  if (mirror !== 'none') return `mirrored ${mirror}`;
  return degrees === 0 ? 'upright' : `turned ${degrees}°`;
}
