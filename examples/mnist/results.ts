// The shape of results.json, from which the report is drawn.
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from './settings.js';

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

/** Time of one training step of the GMR network by module and pass. */
export interface StepProfile {
  batch: number;
  rows: { label: string; pass: string; count: number; ms: number }[];
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
  version: 1;
  quick: boolean;
  settings: Settings;
  normalisation: { divisor: number; shift: number };
  image: { height: number; width: number };
  machine: Machine;
  totalSeconds: number;
  evaluationSeconds: number;
  networks: { gmr: NetworkResult; cnn: NetworkResult };
  promise: { tolerance: number; kept: boolean };
  samples: SampleDigit[];
  kernels: RingKernels[];
  profile: StepProfile;
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
