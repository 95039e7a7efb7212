// Denormals count as zero where kernels run (test/core/denormals.test.ts), so that they take no longer than other numbers.
import { expect } from 'chai';
import * as gmr from '../../lib/index.js';
import { cpuDevices, nameOf } from '../support/devices.js';
import { normal, sizeOf, uniform } from '../support/ndarray.js';
import { rounds } from './rounds.js';

const { ops } = gmr;
const denormal = 1e-41; // the least float32 of full precision is 1.2e-38

interface Timed {
  /** Those that may be denormals, made anew each time: some are written to. */
  shapes: readonly (readonly number[])[];
  /** What has been computed when the last of these is there. */
  run: (tensors: gmr.Tensor[], weight: gmr.Tensor) => gmr.Tensor;
  weight?: readonly number[];
}

/** `y` and the gradients of what it was made from. */
function withGradients(y: gmr.Tensor, upstream: gmr.Tensor): gmr.Tensor {
  y.backward(upstream);
  return y;
}

const image = [4, 16, 32, 32];
const plane = [4, 16, 64, 64];
const timed: Readonly<Record<string, Timed>> = {
  conv: {
    shapes: [image, image],
    weight: [16, 16, 3, 3],
    run: ([x, dy], w) => withGradients(ops.conv(x!, w, { padding: 1 }), dy!),
  },
  ringConv: {
    shapes: [image, image],
    weight: [16, 16, 3],
    run: ([x, dy], v) => withGradients(ops.ringConv(x!, v, { kernelSize: [5, 5], padding: 2 }), dy!),
  },
  batchNorm: {
    shapes: [plane, plane],
    weight: [16],
    run: ([x, dy], w) => withGradients(ops.batchNorm(x!, w, null, null, { training: true }), dy!),
  },
  rotate: { shapes: [plane, plane], run: ([x, dy]) => withGradients(ops.rotate(x!, 30), dy!) },
  sgd: {
    shapes: [[1 << 18], [1 << 18], [1 << 18]],
    run: ([parameter, gradient, velocity]) => {
      ops.sgd(parameter!, gradient!, velocity!, { lr: 0.1, momentum: 0.9, weightDecay: 1e-4, firstStep: false });
      return parameter!;
    },
  },
};

function drawn(shape: readonly number[], scale: number): Float32Array {
  return Float32Array.from(normal(shape, uniform(1)).data, (value) => value * scale);
}

/**
 * How many times as long denormals take: the least of calls that take turns, in time of this process on the processors. What else runs on
 * the machine only adds to it, as threads of the pool wait for each other; medians of nine calls were up to 3 times as long beside two builds.
 */
async function slowdown({ shapes, run, weight = [1] }: Timed, device: gmr.Device, calls: number): Promise<number> {
  const times: [number[], number[]] = [[], []];
  const data = [1, denormal].map((scale) => shapes.map((shape) => drawn(shape, scale)));
  using w = gmr.tensor(drawn(weight, 1), weight, { device, requiresGrad: sizeOf(weight) > 1 });
  for (let call = 0; call < 2 * calls; ++call) {
    const kind = call % 2;
    const tensors = shapes.map((shape, i) => {
      const isInput = i === 0 && shapes.length === 2;
      return gmr.tensor(data[kind]![i]!, shape, { device, requiresGrad: isInput });
    });
    using last = gmr.tensor([0], undefined, { device });
    await last.data();
    const start = process.cpuUsage();
    const y = run(tensors, w);
    await gmr.ops.add(last, last).data();
    const { user, system } = process.cpuUsage(start);
    times[kind]!.push(user + system);
    for (const tensor of [y, tensors[0]!.grad, w.grad, ...tensors]) tensor?.dispose();
    w.grad = null;
  }
  return Math.min(...times[1]) / Math.min(...times[0]);
}

describe('denormals', function () {
  this.timeout(120_000);
  // What is promised. Computed with, they take 4 times as long where it shows least (batchNorm, sgd).
  const bound = 2;
  const calls = rounds({ quick: 9, full: 41 });
  for (const device of cpuDevices) {
    for (const [name, layer] of Object.entries(timed)) {
      it(`take less than ${bound} times as long in ${name}, ${nameOf(device)}`, async () => {
        expect(await slowdown(layer, device, calls)).to.be.lessThan(bound);
      });
    }
  }
});
