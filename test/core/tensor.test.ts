import { expect } from 'chai';
import { inspect } from 'node:util';
import * as gmr from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { copyInto } from '../../lib/tensor.js';
import { cudaSim, devices, nameOf } from '../support/devices.js';
import { runChild } from '../support/child.js';
import { expectFailure, expectRejection } from '../support/failure.js';
import { heldMemory } from '../support/memory.js';

describe('tensor', () => {
  it('takes nested numbers, typed arrays and shapes', async () => {
    expect(gmr.tensor([[1, 2, 3]]).shape).to.deep.equal([1, 3]);
    expect(gmr.tensor(5).shape).to.deep.equal([]);
    expect(gmr.tensor([]).shape).to.deep.equal([0]);
    expect(await gmr.tensor(5).item()).to.equal(5);
    const labels = gmr.tensor(Int32Array.from([1, -2]));
    expect(labels.dtype).to.equal('int32');
    expect([...(await labels.data())]).to.deep.equal([1, -2]);
  });

  it('copies its source at the call, also from shared memory and views with offsets', async () => {
    const source = new Float32Array(new SharedArrayBuffer(16));
    source.set([1, 2, 3, 4]);
    const x = gmr.tensor(source.subarray(1, 3));
    source.fill(0);
    expect([...(await x.data())]).to.deep.equal([2, 3]);
  });

  it('refuses what is no tensor data', () => {
    expectFailure(() => gmr.tensor('abc' as never), 'invalid_argument', '[tensor] expected data to be');
    expectFailure(() => gmr.tensor([1, 2, 3], [2, 2]), 'invalid_shape', '[tensor] expected data to have 4 elements');
    expectFailure(() => gmr.tensor([[1, 2], [3]]), 'invalid_shape', 'nested arrays of numbers of equal lengths');
    expectFailure(() => gmr.tensor([1], [NaN]), 'invalid_argument', 'shape[0]');
    expectFailure(() => gmr.tensor(new Float32Array(2), [-1]), 'invalid_argument', 'shape[0]');
    expectFailure(() => gmr.tensor(new Float64Array(2) as never), 'invalid_argument', 'be a Float32Array');
    expectFailure(() => gmr.tensor([1], undefined, { device: 'gpu' as never }), 'invalid_argument', '[device]');
    const detached = new Float32Array(4);
    structuredClone(detached, { transfer: [detached.buffer] });
    expectFailure(() => gmr.tensor(detached, [4]), 'invalid_argument', 'lie within a live buffer');
  });

  it('prints what it is, also inside of other things, and reads nothing', () => {
    const x = gmr.tensor([[1, 2]], undefined, { device: 'cpu', requiresGrad: true });
    expect(String(x)).to.equal('Tensor float32 [1, 2] on cpu, requiresGrad');
    expect(inspect({ batch: [x] })).to.equal('{ batch: [ Tensor float32 [1, 2] on cpu, requiresGrad ] }');
    const y = gmr.tensor(Int32Array.of(1), [], { device: 'cpu' });
    y.dispose();
    expect(inspect(y)).to.equal('Tensor int32 [] on cpu, disposed');
    if (cudaSim !== undefined) expect(String(gmr.tensor(1, [], { device: cudaSim }))).to.match(/ on cuda_sim:0$/);
  });

  it('reshapes, shares memory, and refuses shapes of another size', async () => {
    const x = gmr.tensor([1, 2, 3, 4, 5, 6]);
    expect(x.reshape(2, -1).shape).to.deep.equal([2, 3]);
    expectFailure(() => x.reshape(4, -1), 'invalid_shape', 'hold 6 elements');
    expectFailure(() => x.reshape(-1, -1), 'invalid_shape', 'hold 6 elements');
    const before = gmr.memory().buffers;
    const view = x.reshape(3, 2);
    expect(gmr.memory().buffers).to.equal(before);
    x.dispose();
    expect([...(await view.data())]).to.deep.equal([1, 2, 3, 4, 5, 6]);
  });

  it('items of many elements and disposed tensors are errors', async () => {
    await expectRejection(gmr.tensor([1, 2]).item(), 'invalid_shape', '[item]');
    const x = gmr.tensor([1]);
    x.dispose();
    x.dispose();
    await expectRejection(x.data(), 'disposed', 'disposed of');
    expectFailure(() => gmr.ops.add(x, x), 'disposed', '[add]');
  });
});

// Two CPU levels are two devices.
const [here, elsewhere] = devices;
const describeTwo = elsewhere === undefined ? describe.skip : describe;

describeTwo('two devices (needs a processor of two CPU levels)', () => {
  const { ops } = gmr;
  const make = (device: gmr.Device | undefined, ...shape: number[]): gmr.Tensor =>
    gmr.tensor(new Float32Array(shape.reduce((n, extent) => n * extent, 1)), shape, { device });
  const on = (...shape: number[]): gmr.Tensor => make(here, ...shape);
  const off = (...shape: number[]): gmr.Tensor => make(elsewhere, ...shape);
  const image = (): gmr.Tensor => on(1, 2, 5, 5);
  const ring = { kernelSize: [3, 3] };
  const training = { training: true };
  const rates = { lr: 0.1, momentum: 0.9, firstStep: true };
  const calls: Record<string, () => unknown> = {
    'add b': () => ops.add(on(2), off(2)),
    'conv w': () => ops.conv(image(), off(3, 2, 3, 3)),
    'conv bias': () => ops.conv(image(), on(3, 2, 3, 3), { bias: off(3) }),
    'conv_transpose w': () => ops.convTranspose(image(), off(2, 3, 3, 3)),
    'conv_transpose bias': () => ops.convTranspose(image(), on(2, 3, 3, 3), { bias: off(3) }),
    'ring_conv v': () => ops.ringConv(image(), off(3, 2, 2), ring),
    'ring_conv bias': () => ops.ringConv(image(), on(3, 2, 2), { ...ring, bias: off(3) }),
    'ring_conv_transpose v': () => ops.ringConvTranspose(image(), off(2, 3, 2), ring),
    'ring_conv_transpose bias': () => ops.ringConvTranspose(image(), on(2, 3, 2), { ...ring, bias: off(3) }),
    'ring_weight logSigmas': () => ops.ringWeight(on(3, 2, 2), off(2)),
    'batch_norm weight': () => ops.batchNorm(image(), off(2), null, null, training),
    'batch_norm bias': () => ops.batchNorm(image(), null, off(2), null, training),
    'batch_norm running.mean': () => ops.batchNorm(image(), null, null, { mean: off(2), variance: on(2) }, training),
    'batch_norm running.variance': () =>
      ops.batchNorm(image(), null, null, { mean: on(2), variance: off(2) }, training),
    'batch_norm residual': () => ops.batchNorm(image(), null, null, null, { ...training, residual: off(1, 2, 5, 5) }),
    'cross_entropy targets': () => ops.crossEntropy(on(1, 3), gmr.tensor(Int32Array.of(0), [1], { device: elsewhere })),
    'sgd gradient': () => ops.sgd(on(2), off(2), on(2), rates),
    'sgd velocity': () => ops.sgd(on(2), on(2), off(2), rates),
    'backward gradient': () => {
      const x = on(2);
      x.requiresGrad = true;
      ops.activation(x).backward(off(2));
    },
  };

  for (const [name, call] of Object.entries(calls)) {
    it(`are refused: ${name}`, () => {
      const [op, argument] = name.split(' ') as [string, string];
      const message = `[${op}] expected ${argument} to be on ${here!.toString()}, where { device } or model.to(device) puts it, received "${elsewhere!.toString()}"`;
      expectFailure(() => gmr.scope(() => void call()), 'device_mismatch', message);
    });
  }

  it('are refused by a layer that was not moved, and not by one that was', async () => {
    using layer = new gmr.nn.GMRConv2d(2, 3, 3, { device: elsewhere });
    expectFailure(() => layer.forward(image()), 'device_mismatch', `to be on ${here!.toString()}`);
    await layer.to(here!);
    expect(await layer.forward(image()).data()).to.have.length(27);
  });
});

describe('copies within a device', () => {
  for (const device of devices) {
    it(`${nameOf(device)}: have a pass of their own, which profiles name`, async () => {
      const values = Float32Array.from({ length: 70_001 }, (_, i) => i - 35_000);
      const [a, b] = [0, 1].map(() => gmr.tensor([1, 2], undefined, { device, requiresGrad: true }));
      const target = gmr.tensor(new Float32Array(values.length), undefined, { device });
      const rows = await gmr.profile(device, async () => {
        copyInto(target, gmr.tensor(values, undefined, { device }));
        gmr.ops.add(a!, b!).backward(gmr.tensor([5, 6], undefined, { device })); // one gradient for two leaves
        expect(await target.data()).to.deep.equal(values);
      });
      expect([...(await b!.grad!.data())]).to.deep.equal([5, 6]);
      const copies = rows.filter(({ pass }) => pass === 'copy');
      expect(copies.map(({ count }) => count)).to.deep.equal([2 + 1]);
      expect(rows.map(({ pass }) => pass).toSorted()).to.deep.equal(['add_forward', 'copy']);
    });
  }

  it('profiles count what is queued in them, not what was queued before', async () => {
    const device = await gmr.device('cpu');
    const x = gmr.tensor(new Float32Array(2 ** 22), undefined, { device });
    const before = Array.from({ length: 20 }, () => gmr.ops.activation(x)); // some tens of milliseconds
    const rows = await gmr.profile(device, async () => gmr.ops.add(x, x).data());
    expect(rows.map(({ pass, count }) => `${pass} ${count}`)).to.deep.equal(['add_forward 1']);
    for (const y of before) y.dispose();
  });

  it('of what failed fail, with the first cause', async () => {
    const { handle } = await gmr.device();
    const target = native().upload(handle, Float32Array.of(1));
    native().copy(handle, native().createBuffer(handle, 4), target, 0);
    const failure: unknown = await native()
      .read(handle, target)
      .catch((error: unknown) => error);
    expect(failure).to.include({ code: 'device_failure', op: 'copy' });
    expect((failure as Error).message).to.include('[copy] expected its inputs to hold values');
  });
});

describe('autograd', () => {
  it('adds up over uses and over calls', async () => {
    const x = gmr.tensor([2, -3], undefined, { requiresGrad: true });
    const ones = gmr.tensor([1, 1]);
    gmr.ops.add(gmr.ops.add(x, x), gmr.ops.activation(x)).backward(ones);
    expect([...(await x.grad!.data())]).to.deep.equal([3, 2]);
    gmr.ops.add(x, ones).backward(ones);
    expect([...(await x.grad!.data())]).to.deep.equal([4, 3]);
  });

  it('gradients of different leaves share no memory', async () => {
    const [a, b] = [1, 2].map((value) => gmr.tensor([value], undefined, { requiresGrad: true })) as [
      gmr.Tensor,
      gmr.Tensor,
    ];
    const one = gmr.tensor([1]);
    gmr.ops.add(a, b).backward(one);
    gmr.ops.add(a, a).backward(one);
    expect(await a.grad!.item()).to.equal(3);
    expect(await b.grad!.item()).to.equal(1);
    expect(await one.item()).to.equal(1);
  });

  it('survives the disposal of everything between leaves and loss', async () => {
    const x = gmr.tensor([1, -2], undefined, { requiresGrad: true });
    const h = gmr.ops.activation(x, 0.5);
    const y = gmr.ops.activation(h, 0.5);
    h.dispose();
    y.backward(gmr.tensor([1, 1]));
    expect([...(await x.grad!.data())]).to.deep.equal([1, 0.25]);
  });

  it('noGrad records nothing; detach cuts; grad() leaves .grad alone', async () => {
    const x = gmr.tensor([1, 2], undefined, { requiresGrad: true });
    expect(gmr.noGrad(() => gmr.ops.activation(x)).requiresGrad).to.equal(false);
    expect(gmr.ops.activation(x.detach()).requiresGrad).to.equal(false);
    const [dx] = gmr.grad((t: gmr.Tensor) => gmr.ops.reduce(gmr.ops.activation(t), { op: 'sum' }))(x);
    expect([...(await dx.data())]).to.deep.equal([1, 1]);
    expect(x.grad).to.equal(null);
  });

  it('grad() leaves the gradients of what its function closes over alone, and that itself alive', async () => {
    const w = gmr.tensor([3], undefined, { requiresGrad: true });
    const [dx] = gmr.grad((t: gmr.Tensor) => gmr.ops.add(t, w))(gmr.tensor([1]));
    expect(await dx.item()).to.equal(1);
    const [none] = gmr.grad<[gmr.Tensor]>(() => w)(gmr.tensor([1]));
    expect(await none.item()).to.equal(0);
    expect(w.grad).to.equal(null);
    expect(await w.item()).to.equal(3);
  });

  it('refuses a second backward, a missing or misshapen gradient, and tensors without one', () => {
    const x = gmr.tensor([1, 2], undefined, { requiresGrad: true });
    const y = gmr.ops.activation(x);
    expectFailure(() => y.backward(), 'invalid_shape', '[backward] expected gradient');
    expectFailure(() => y.backward(gmr.tensor([1])), 'invalid_shape', '[backward] expected gradient to have shape [2]');
    y.backward(gmr.tensor([1, 1]));
    expectFailure(() => y.backward(gmr.tensor([1, 1])), 'graph_released', 'activation');
    expectFailure(() => gmr.tensor([1]).backward(), 'invalid_argument', 'requiresGrad');
    expectFailure(
      () => {
        y.requiresGrad = true;
      },
      'invalid_argument',
      'leaf',
    );
  });

  it('goes through chains as long as memory allows', async () => {
    const x = gmr.tensor([1], undefined, { requiresGrad: true });
    let y = x;
    for (let i = 0; i < 20_000; ++i) y = gmr.ops.activation(y);
    y.backward();
    expect(await x.grad!.item()).to.equal(1);
    let z = x;
    for (let i = 0; i < 20_000; ++i) {
      const next = gmr.ops.activation(z);
      if (z !== x) z.dispose();
      z = next;
    }
    z.dispose(); // frees the whole chain without recursion
  });
});

describe('memory', () => {
  /** What `fn` leaves behind. */
  async function left(fn: () => unknown): Promise<{ buffers: number; bytes: number }> {
    const before = await heldMemory();
    await fn();
    const after = await heldMemory();
    return { buffers: after.buffers - before.buffers, bytes: after.bytes - before.bytes };
  }
  const nothing = { buffers: 0, bytes: 0 };
  const train = (): gmr.Tensor => {
    const x = gmr.tensor([1, 2, 3], undefined, { requiresGrad: true });
    return gmr.ops.reduce(gmr.ops.add(gmr.ops.activation(x), x), { op: 'sum' });
  };

  it('grad() frees what its function made, also after an error, and scopes own what it returns', async () => {
    const sum = (t: gmr.Tensor): gmr.Tensor => gmr.ops.reduce(gmr.ops.activation(t, 0.5), { op: 'sum' });
    const failing = (t: gmr.Tensor): gmr.Tensor => {
      sum(t);
      throw new Error('deliberate');
    };
    const x = gmr.tensor([1, 2]);
    expect(await left(() => gmr.scope(() => void gmr.grad(sum)(x)))).to.deep.equal(nothing);
    expect(await left(() => expect(() => gmr.grad(failing)(x)).to.throw('deliberate'))).to.deep.equal(nothing);
  });

  it('backward gives no gradient to a leaf that was disposed of', async () => {
    const forgotten = (): void => {
      const w = gmr.tensor([1], undefined, { requiresGrad: true });
      const y = gmr.ops.activation(w);
      w.dispose();
      y.backward();
      y.dispose();
      expect(w.grad).to.equal(null);
    };
    expect(await left(forgotten)).to.deep.equal(nothing);
  });

  it('scope frees all but its result, also after an error and a backward', async () => {
    expect(await left(() => gmr.scope(() => train().backward()))).to.deep.equal(nothing);
    expect(await left(() => gmr.scope(() => train()).dispose())).to.deep.equal(nothing);
    expect(
      await left(() => {
        expect(() =>
          gmr.scope(() => {
            train();
            throw new Error('deliberate');
          }),
        ).to.throw('deliberate');
      }),
    ).to.deep.equal(nothing);
  });

  it('what a scope returns, nested in arrays and objects, lives on in the scope around it', async () => {
    const leftover = await left(() => {
      gmr.scope(() => {
        const { pair } = gmr.scope(() => ({ pair: [gmr.tensor([1]), gmr.tensor([2])] as const }));
        expect(pair.some((t) => t.isDisposed)).to.equal(false);
      });
    });
    expect(leftover).to.deep.equal(nothing);
  });

  it('`using` frees at the end of its block', async () => {
    expect(
      await left(async () => {
        using x = gmr.tensor([1, 2]);
        using y = gmr.ops.activation(x);
        expect([...(await y.data())]).to.deep.equal([1, 2]);
      }),
    ).to.deep.equal(nothing);
  });

  it('buffers freed while work on them is queued stay whole until it is done', async () => {
    const x = gmr.tensor(new Float32Array(1 << 20).fill(1));
    let y = gmr.ops.add(x, x);
    for (let i = 0; i < 8; ++i) {
      const next = gmr.ops.add(y, x);
      y.dispose();
      y = next;
    }
    x.dispose();
    expect((await y.data()).every((value) => value === 10)).to.equal(true);
  });

  it('scope and noGrad refuse asynchronous functions', () => {
    expectFailure(() => gmr.scope(async () => gmr.tensor([1])), 'invalid_argument', 'synchronous');
    expectFailure(() => gmr.noGrad(async () => {}), 'invalid_argument', 'synchronous');
  });

  it('forgotten tensors are found by the collector', async () => {
    const result = await runChild(`
      for (let i = 0; i < 2000; ++i) gmr.ops.activation(gmr.tensor(new Float32Array(1000), undefined, { requiresGrad: true }));
      for (let i = 0; i < 20; ++i) { global.gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
      console.log(gmr.memory().buffers);
    `);
    expect(result.code, result.stderr).to.equal(0);
    expect(Number(result.stdout)).to.be.lessThan(10);
  });

  it('a request beyond the machine is an error; the process goes on', async () => {
    const wide = gmr.tensor(new Float32Array(1 << 16), [1 << 16, 1, 1]);
    const weight = gmr.tensor(new Float32Array(1 << 26), [1 << 26, 1, 1]);
    const y = gmr.ops.conv(wide, weight); // 2^42 floats
    await expectRejection(y.data(), 'out_of_memory', '[conv] expected');
    await expectRejection(y.data(), 'out_of_memory', '[conv] expected');
    for (const tensor of [wide, weight, y]) tensor.dispose();
    expect([...(await gmr.ops.add(gmr.tensor([1]), gmr.tensor([2])).data())]).to.deep.equal([3]);
  });
});
