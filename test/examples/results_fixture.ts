// Results such as a run leaves them, made up: the report is drawn from these alone.
import type { NetworkResult, Point, Results, SampleDigit, Transform } from '../../examples/mnist/results.js';
import { checkPromises } from '../../examples/mnist/promises.js';
import { fullLimits, fullSettings } from '../../examples/mnist/settings.js';
import { normal, uniform } from '../support/ndarray.js';

const side = 28;

const transforms: Transform[] = [
  ...Array.from({ length: 36 }, (_, i): Transform => ({ degrees: 10 * i, mirror: 'none' })),
  { degrees: 0, mirror: 'left-right' },
  { degrees: 0, mirror: 'top-bottom' },
];

function network(name: string, accuracy: (transform: Transform) => number, decay: number): NetworkResult {
  const points: Point[] = transforms.map((transform) => ({ transform, accuracy: accuracy(transform) }));
  const angles = points.filter(({ transform }) => transform.mirror === 'none');
  const worst = angles.reduce((least, point) => (point.accuracy < least.accuracy ? point : least));
  return {
    name,
    layers: ['ring convolution 9 × 9, 1 → 16', 'ring convolution 9 × 9, 16 → 16', 'average pool 2', 'linear 16 → 10'],
    parameters: 27_058,
    trainSeconds: 93.4,
    imagesPerSecond: 1284.9,
    loss: Array.from({ length: 100 }, (_, i) => ({
      epoch: ((i + 1) * fullSettings.epochs) / 100,
      loss: 0.3 + 2 * Math.exp(-decay * i) + 0.02 * Math.sin(i),
    })),
    points,
    invariance: transforms
      .filter(({ degrees, mirror }) => (degrees % 90 === 0 && degrees > 0) || mirror !== 'none')
      .map((transform) => ({ transform, changedPredictions: 0, maxRelativeDifference: 2.4e-6 })),
    upright: points[0]!.accuracy,
    meanOverAngles: angles.reduce((sum, point) => sum + point.accuracy, 0) / angles.length,
    worstAngle: { degrees: worst.transform.degrees, accuracy: worst.accuracy },
  };
}

/** A bar with a foot, turned. */
function picture(label: number, degrees: number): string {
  const [cosine, sine] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const pixels = new Uint8Array(side * side);
  for (let i = 0; i < pixels.length; ++i) {
    const [x, y] = [(i % side) - 13.5, Math.floor(i / side) - 13.5];
    const [u, v] = [x * cosine - y * sine, x * sine + y * cosine];
    const inBar = Math.abs(u) < 1.5 && Math.abs(v) < 8;
    const inFoot = v > 4 && v < 8 && u > 0 && u < 2 + label / 2;
    pixels[i] = inBar || inFoot ? 255 : 0;
  }
  return Buffer.from(pixels).toString('base64');
}

function sample(label: number): SampleDigit {
  return {
    label,
    views: Array.from({ length: 8 }, (_, i) => ({
      degrees: 45 * i,
      pixels: picture(label, 45 * i),
      gmr: label,
      cnn: i % 3 === 0 ? label : (label + i) % 10,
    })),
  };
}

function profileRows(): Results['profile']['rows'] {
  const rows: Results['profile']['rows'] = [];
  for (let i = 1; i <= 6; ++i) {
    for (const pass of ['forward', 'backward_input', 'backward_weight']) {
      rows.push({ label: `block${i}.conv`, pass: `ring_conv_${pass}`, count: 1, ms: 12 / i });
    }
    rows.push({ label: `block${i}.norm`, pass: 'batch_norm_forward', count: 1, ms: 1.5 / i });
    rows.push({ label: `block${i}.norm`, pass: 'batch_norm_backward_input', count: 1, ms: 2.5 / i });
  }
  rows.push(
    { label: '', pass: 'cross_entropy_forward', count: 1, ms: 0.04 },
    { label: '', pass: 'sgd_step', count: 27, ms: 0.2 },
  );
  return rows;
}

function kernel(width: number, random: () => number): number[] {
  const rings = normal([width], random).data;
  return Array.from({ length: width * width }, (_, i) => {
    const distance = Math.hypot((i % width) - (width >> 1), Math.floor(i / width) - (width >> 1));
    return distance < width / 2 ? rings[Math.round(distance)]! : 0;
  });
}

export function resultsFixture(): Results {
  const random = uniform(5);
  const radians = Math.PI / 180;
  const networks = {
    gmr: network('GMR network', ({ degrees }) => 0.987 - 0.02 * Math.sin(2 * degrees * radians) ** 2, 0.06),
    cnn: network(
      'Ordinary CNN',
      ({ degrees, mirror }) => (mirror === 'none' ? 0.15 + 0.84 * ((1 + Math.cos(degrees * radians)) / 2) ** 3 : 0.31),
      0.09,
    ),
  };
  return {
    format: 'gmr-conv-mnist-demo',
    version: 2,
    quick: false,
    settings: fullSettings,
    normalisation: { divisor: 0.3081, shift: 0 },
    image: { height: side, width: side },
    machine: {
      cpu: 'Example <CPU> & "Co"',
      cores: 2,
      memoryGib: 8,
      device: 'cpu',
      level: 'x86-64-v3',
      threads: 2,
      node: 'v20.19.0',
      platform: 'linux 6.1.0 x64',
      commit: '0123456789ab',
      date: '2026-01-02T03:04:05.678Z',
    },
    totalSeconds: 312,
    evaluationSeconds: 88,
    networks,
    promise: checkPromises(networks, fullSettings.testImages, fullLimits),
    samples: Array.from({ length: 10 }, (_, label) => sample(label)),
    kernels: [
      { layer: 'block1.conv', side: 9, kernels: Array.from({ length: 16 }, () => kernel(9, random)) },
      { layer: 'block5.conv', side: 5, kernels: Array.from({ length: 16 }, () => kernel(5, random)) },
    ],
    profile: { batch: 128, steps: 15, rows: profileRows() },
  };
}
