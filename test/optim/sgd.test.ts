import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as gmr from '../../lib/index.js';
import { devices, nameOf } from '../support/devices.js';
import { expectFailure, expectRejection } from '../support/failure.js';
import { expectClose, normal, uniform } from '../support/ndarray.js';

const { SGD } = gmr.optim;

function leaf(...values: number[]): gmr.Tensor {
  return gmr.tensor(Float32Array.from(values), undefined, { requiresGrad: true });
}

function setGradient(parameter: gmr.Tensor, ...values: number[]): void {
  parameter.grad?.dispose();
  parameter.grad = gmr.tensor(Float32Array.from(values), parameter.shape);
}

async function values(tensor: gmr.Tensor): Promise<number[]> {
  return Array.from(await tensor.data());
}

describe('SGD', () => {
  it('moves along gradients with momentum and decay, as PyTorch does', async () => {
    const options = { lr: 0.1, momentum: 0.9, dampening: 0.5, weightDecay: 0.01 };
    const parameter = leaf(1, -2);
    using optimizer = new SGD([parameter], options);
    let expected = [1, -2];
    let velocity: number[] = [];
    for (const gradient of [
      [1, 2],
      [0.5, -1],
      [-3, 0],
    ]) {
      setGradient(parameter, ...gradient);
      optimizer.step();
      const decayed = gradient.map((g, i) => g + 0.01 * expected[i]!);
      velocity = decayed.map((g, i) => (velocity.length === 0 ? g : 0.9 * velocity[i]! + 0.5 * g));
      expected = expected.map((p, i) => p - 0.1 * velocity[i]!);
    }
    expectClose(await values(parameter), expected, 'parameter', 1e-6);
  });

  it('leaves parameters without a gradient alone, and their velocity unstarted', async () => {
    const [moved, still] = [leaf(1), leaf(1)];
    using optimizer = new SGD([moved, still], { lr: 1, momentum: 0.5, weightDecay: 0.1 });
    setGradient(moved, 1);
    optimizer.step();
    expect(await values(still)).to.deep.equal([1]);
    expect(Object.keys(optimizer.stateDict().velocity)).to.deep.equal(['0.0']);
    optimizer.zeroGrad();
    expect(moved.grad).to.equal(null);
  });

  it('does not decay sigmas that it knows by name unless told', async () => {
    using layer = new gmr.nn.GMRConv1d(1, 1, 3);
    const start = await values(layer.logSigmas!);
    const decayed = async (optimizer: gmr.optim.SGD): Promise<boolean> => {
      for (const parameter of layer.parameters())
        setGradient(parameter, ...Array.from({ length: parameter.size }, () => 0));
      layer.loadStateDict({ log_sigmas: gmr.tensor(start) }, { strict: false });
      optimizer.step();
      return (await values(layer.logSigmas!))[0] !== start[0];
    };
    const options = { lr: 0.1, weightDecay: 0.5 };
    expect(await decayed(new SGD(layer, options))).to.equal(false);
    expect(await decayed(new SGD(layer.namedParameters(), options))).to.equal(false);
    expect(await decayed(new SGD(layer, { ...options, sigmaWeightDecay: 0.5 }))).to.equal(true);
    expect(await decayed(new SGD(layer.parameters(), options))).to.equal(true);
  });

  it('has groups with options of their own, which may be changed', async () => {
    const [a, b] = [leaf(1), leaf(1)];
    using optimizer = new SGD([{ params: [a] }, { params: [['b', b]], lr: 0.5 }], { lr: 0.1 });
    setGradient(a, 1);
    setGradient(b, 1);
    optimizer.step();
    optimizer.groups[1]!.lr = 0.25;
    optimizer.step();
    expectClose([...(await values(a)), ...(await values(b))], [0.8, 0.25], 'parameters', 1e-6);
    expect(optimizer.groups.map(({ params }) => [...params.keys()])).to.deep.equal([['0'], ['b']]);
  });

  it('keeps velocities that were made in a scope', async () => {
    const parameter = leaf(0);
    using optimizer = new SGD([parameter], { lr: 1, momentum: 0.5 });
    for (let i = 0; i < 2; ++i) {
      gmr.scope(() => {
        setGradient(parameter, 1);
        optimizer.step();
        optimizer.zeroGrad();
      });
    }
    expect(await values(parameter)).to.deep.equal([-2.5]);
  });

  it('steps all parameters of a group in one pass, or as few as there can be, to the bits of a step each', async () => {
    for (const device of devices) {
      const random = uniform(8);
      const sizes = Array.from({ length: 90 }, (_, i) => [0, 1, 3, 4, 17, 4096, 4097, 16385][i % 8]!);
      const start = sizes.map((size) => Float32Array.from(normal([size], random).data));
      const gradients = sizes.map((size) => Float32Array.from(normal([size], random).data));
      const options = { lr: 0.1, momentum: 0.9, dampening: 0.1, weightDecay: 0.01 };
      const on = (values: Float32Array): gmr.Tensor => gmr.tensor(values, undefined, { device, requiresGrad: true });
      const [together, apart] = [start.map(on), start.map(on)];
      using optimizer = new SGD(
        together.map((tensor, i) => [i % 9 === 2 ? `${i}.log_sigmas` : `${i}`, tensor] as const),
        { ...options, sigmaWeightDecay: 0.3 },
      );
      const velocities = start.map(on);
      const rows = await gmr.profile(device, async () => {
        for (const firstStep of [true, false]) {
          for (const [i, parameter] of together.entries()) parameter.grad = on(gradients[i]!);
          optimizer.step();
          for (const [i, parameter] of apart.entries()) {
            const weightDecay = i % 9 === 2 ? 0.3 : 0.01;
            gmr.ops.sgd(parameter, on(gradients[i]!), velocities[i]!, { ...options, weightDecay, firstStep });
          }
        }
        await together[0]!.data();
      });
      expect(rows.map(({ pass, count }) => [pass, count])).to.deep.equal([['sgd_step', 2 * (2 + sizes.length)]]);
      for (const [i, tensor] of together.entries()) {
        expect(await tensor.data(), `${nameOf(device)}: ${sizes[i]} elements`).to.deep.equal(await apart[i]!.data());
      }
    }
  });

  it('mixes first and later steps in one pass', async () => {
    const [early, late] = [leaf(0), leaf(0)];
    using optimizer = new SGD([early, late], { lr: 1, momentum: 0.5, dampening: 0.5 });
    setGradient(early, 1);
    optimizer.step();
    setGradient(late, 1);
    optimizer.step();
    expect([...(await values(early)), ...(await values(late))]).to.deep.equal([-2, -1]);
  });

  it('steps no parameter of a group where one gradient failed, and leaves the others for the next step', async () => {
    const [failed, fine] = [leaf(1, 2, 3), leaf(1)];
    using optimizer = new SGD([fine, failed], { lr: 1 });
    gmr.ops.crossEntropy(failed.reshape(1, 3), gmr.tensor(Int32Array.of(99))).backward();
    setGradient(fine, 1);
    optimizer.step();
    await expectRejection(fine.data(), 'invalid_argument', 'cross_entropy');
    expect(await values(fine)).to.deep.equal([1]);
    optimizer.zeroGrad();
    setGradient(fine, 1);
    optimizer.step();
    expect(await values(fine)).to.deep.equal([0]);
    expect(await values(failed)).to.deep.equal([1, 2, 3]);
  });

  it('refuses a gradient that was disposed of before it moves any', async () => {
    const [first, second] = [leaf(1), leaf(1)];
    using optimizer = new SGD([first, second], { lr: 1, momentum: 0.5 });
    setGradient(first, 1);
    setGradient(second, 1);
    second.grad!.dispose();
    expectFailure(() => optimizer.step(), 'disposed', '[SGD] expected the gradient of 1 to be live');
    expect(await values(first)).to.deep.equal([1]);
    expect(optimizer.stateDict().velocity).to.deep.equal({});
  });

  it('refuses a step once a parameter was disposed of, in whatever group, before it moves any', async () => {
    const first = leaf(1);
    const layer = new gmr.nn.Linear(2, 1);
    using optimizer = new SGD([{ params: [first] }, { params: layer }], { lr: 1 });
    setGradient(first, 1);
    layer.dispose();
    const message =
      '[SGD] expected parameter weight to be live, received a tensor of shape [1, 2] that was disposed of';
    expectFailure(() => optimizer.step(), 'disposed', message);
    expect(await values(first)).to.deep.equal([1]);
  });

  it('refuses to go on after dispose, and keeps its parameters', async () => {
    const parameter = leaf(1);
    const optimizer = new SGD([parameter], { lr: 1, momentum: 0.5 });
    setGradient(parameter, 1);
    optimizer.step();
    const state = optimizer.stateDict();
    optimizer.dispose();
    optimizer.dispose();
    const message = '[SGD] expected the optimiser to be live, received one that was disposed of';
    expectFailure(() => optimizer.step(), 'disposed', message);
    expectFailure(() => optimizer.stateDict(), 'disposed', message);
    expectFailure(() => optimizer.loadStateDict({ ...state, velocity: {} }), 'disposed', message);
    optimizer.zeroGrad();
    expect(await values(parameter)).to.deep.equal([0]);
  });

  it('goes on after a step whose gradient failed', async () => {
    const parameter = leaf(1, 2, 3);
    using optimizer = new SGD([parameter], { lr: 0.1, momentum: 0.9 });
    const step = (target: number): void => {
      const logits = parameter.reshape(1, 3);
      gmr.ops.crossEntropy(logits, gmr.tensor(Int32Array.of(target))).backward();
      optimizer.step();
      optimizer.zeroGrad();
    };
    step(99);
    await expectRejection(parameter.data(), 'invalid_argument', 'cross_entropy');
    step(0);
    // 1, 2, 3 less 0.1 (softmax(1, 2, 3) - (1, 0, 0)).
    expectClose(await values(parameter), [1.0909969, 1.9755272, 2.9334759], 'parameter', 1e-6);
  });

  it('goes on from a state that went through a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gmr-'));
    try {
      const make = (value: number): { parameter: gmr.Tensor; optimizer: gmr.optim.SGD } => {
        const parameter = leaf(value);
        return { parameter, optimizer: new SGD([['w', parameter]], { lr: 0.1, momentum: 0.9 }) };
      };
      const [first, second] = [make(1), make(1)];
      setGradient(first.parameter, 2);
      first.optimizer.step();
      first.optimizer.groups[0]!.lr = 0.01;
      const { settings, velocity } = first.optimizer.stateDict();
      const path = join(folder, 'optimizer.safetensors');
      await gmr.io.writeSafetensors(path, velocity, { settings: JSON.stringify(settings) });
      const { tensors, metadata } = await gmr.io.readSafetensors(path);
      second.optimizer.loadStateDict({ settings: JSON.parse(metadata['settings']!), velocity: tensors });
      for (const { parameter, optimizer } of [first, second]) {
        setGradient(parameter, 1);
        optimizer.step();
      }
      expect(second.optimizer.groups[0]!.lr).to.equal(0.01);
      expectClose(await values(first.parameter), [0.8 - 0.01 * 2.8], 'first', 1e-6);
      expectClose(await values(second.parameter), [1 - 0.01 * 2.8], 'second', 1e-6);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses states of other optimisers and keeps its own', () => {
    using optimizer = new SGD([['w', leaf(1)]], { lr: 0.1, momentum: 0.9 });
    const { settings } = optimizer.stateDict();
    const one = gmr.tensor([1]);
    const load = (state: unknown) => () => optimizer.loadStateDict(state as gmr.optim.SGDState);
    expectFailure(
      load({ settings: [], velocity: {} }),
      'state_dict_mismatch',
      '[SGD.loadStateDict] expected settings of 1 groups',
    );
    expectFailure(load({ settings, velocity: { '0.v': one } }), 'state_dict_mismatch', '[SGD.loadStateDict]');
    expectFailure(
      load({ settings, velocity: { '0.w': gmr.tensor([1, 2]) } }),
      'state_dict_mismatch',
      '[SGD.loadStateDict]',
    );
    expectFailure(load({ settings: [{ lr: -1 }], velocity: { '0.w': one } }), 'invalid_argument', '[SGD] expected lr');
    expect(optimizer.stateDict()).to.deep.equal({ settings, velocity: {} });
  });

  it('names the argument that is wrong', () => {
    const make = (params: unknown, options: unknown) => () => new SGD(params as never, options as never);
    const shared = leaf(1);
    const fails = (fn: () => unknown, message: string): void => expectFailure(fn, 'invalid_argument', message);
    fails(make([shared], {}), '[SGD] expected lr to be a finite number >= 0, received undefined');
    fails(make([shared], { lr: -1 }), '[SGD] expected lr');
    fails(make([shared], { lr: 1, nesterov: true }), '[SGD] expected nesterov to come with momentum > 0');
    fails(make([shared], { lr: 1, momentum: 0.9, dampening: 0.1, nesterov: true }), '[SGD] expected nesterov');
    fails(make([shared], { lr: 1, weightDecay: NaN }), '[SGD] expected weightDecay');
    fails(make([], { lr: 1 }), '[SGD] expected params to hold parameters');
    fails(make(7, { lr: 1 }), '[SGD] expected params to be a Module, tensors or [name, tensor] pairs, received 7');
    fails(make([shared, shared], { lr: 1 }), '[SGD] expected params to hold each parameter and name once');
    fails(make([{ params: [shared] }, { params: [shared] }], { lr: 1 }), '[SGD] expected params to hold each');
    fails(make([['w', 1]], { lr: 1 }), '[SGD] expected parameter w to be a Tensor');
  });
});
