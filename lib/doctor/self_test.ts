// A small ring convolution and its gradients, against the sums written out.
import type { Device } from '../device.js';
import { ringConv } from '../ops/ring_conv.js';
import { scope, tensor } from '../tensor.js';

const [batch, inputs, outputs, rings, side, height, width] = [2, 3, 5, 3, 5, 7, 6];
const padding = (side - 1) / 2;
const reach = side / 2; // the largest distance that a ring takes in

/** float32 numbers in [-1, 1] without a pattern that a wrong index would repeat. */
function numbers(count: number, start: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(1.7 * (i + start) ** 1.3));
}

interface Passes {
  y: Float64Array;
  dx: Float64Array;
  dv: Float64Array;
}

/** Calls `visit` with the places in y, x and v of every product of the convolution. */
function forEachProduct(visit: (y: number, x: number, v: number) => void): void {
  for (let n = 0; n < batch; ++n)
    for (let o = 0; o < outputs; ++o)
      for (let c = 0; c < inputs; ++c)
        for (let row = 0; row < height; ++row)
          for (let column = 0; column < width; ++column)
            for (let i = -padding; i <= padding; ++i)
              for (let j = -padding; j <= padding; ++j) {
                const ring = Math.floor((Math.hypot(i, j) * rings) / reach);
                const [h, w] = [row + i, column + j];
                if (ring >= rings || h < 0 || h >= height || w < 0 || w >= width) continue;
                const plane = (planes: number, of: number): number => (n * planes + of) * height;
                visit(
                  (plane(outputs, o) + row) * width + column,
                  (plane(inputs, c) + h) * width + w,
                  (o * inputs + c) * rings + ring,
                );
              }
}

function expected(x: Float32Array, v: Float32Array, dy: Float32Array): Passes {
  const passes = {
    y: new Float64Array(dy.length),
    dx: new Float64Array(x.length),
    dv: new Float64Array(v.length),
  };
  forEachProduct((atY, atX, atV) => {
    passes.y[atY]! += x[atX]! * v[atV]!;
    passes.dx[atX]! += dy[atY]! * v[atV]!;
    passes.dv[atV]! += dy[atY]! * x[atX]!;
  });
  return passes;
}

function relativeError(received: ArrayLike<number>, wanted: Float64Array): number {
  let [difference, norm] = [0, 0];
  wanted.forEach((value, i) => {
    difference += (received[i]! - value) ** 2;
    norm += value ** 2;
  });
  return Math.sqrt(difference / norm);
}

/** The largest relative error of output and gradients on a device; NaN where there is a NaN among them. */
export async function selfTest(device: Device): Promise<number> {
  const xValues = numbers(batch * inputs * height * width, 1);
  const vValues = numbers(outputs * inputs * rings, 500);
  const dyValues = numbers(batch * outputs * height * width, 1000);
  const wanted = expected(xValues, vValues, dyValues);
  const received = scope(() => {
    const options = { device, requiresGrad: true };
    const x = tensor(xValues, [batch, inputs, height, width], options);
    const v = tensor(vValues, [outputs, inputs, rings], options);
    const y = ringConv(x, v, { kernelSize: [side, side], padding });
    y.backward(tensor(dyValues, y.shape, { device }));
    return [y.data(), x.grad!.data(), v.grad!.data()] as const;
  });
  const [y, dx, dv] = await Promise.all(received);
  return Math.max(relativeError(y, wanted.y), relativeError(dx, wanted.dx), relativeError(dv, wanted.dv));
}
