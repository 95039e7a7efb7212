// The model of a GPU's time: each unit by hand, and what the interpreter counts of real kernels.
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type Gpu, gpus } from '../../bench/cuda/gpus.js';
import { conflictsOf, floorTime, type LaunchCounts, launchTime, passTime, total } from '../../bench/cuda/model.js';
import { countPasses, type ModelCase, modelCases, workOf } from '../../bench/cuda/model_cases.js';
import { cudaSim } from '../support/devices.js';

const gpu: Gpu = {
  name: 'a GPU',
  target: 'sm_90',
  multiprocessors: 10,
  clock: 1e9,
  memory: 1e12,
  l2: 1000,
  schedulers: 4,
  fp32: 4,
  fp64: 2,
  conversion: 2,
  special: 0.5,
  tensor: { tf32: 1024, bf16: 2048, f16: 2048 },
  mmaSync: 0.5,
};
const noGlobal = { bytes: 0, usedBytes: 0, sectors: 0 };
const noShared = { bytes: 0, wavefronts: 0, least: 0 };
const idle: LaunchCounts = {
  kernel: 'k',
  ptx: 80,
  grid: [20, 1, 1],
  block: [32, 1, 1],
  dynamicShared: 0,
  launches: 1,
  blocks: 20,
  instructions: {},
  tensor: {},
  sectorsPastL1: 0,
  globalLoads: noGlobal,
  globalStores: noGlobal,
  globalAtomics: noGlobal,
  sharedLoads: noShared,
  sharedStores: noShared,
  sharedAtomics: noShared,
  lines: [],
};

describe('CUDA model', () => {
  it('adds up the slots that instructions take', () => {
    const counts = { ...idle, instructions: { fp32: 4000, integer_wide: 1000, move: 9999, special: 100 } };
    const { busy, bound, seconds } = launchTime(counts, gpu);
    // 6100 slots over ten multiprocessors of four schedulers.
    expect(busy.issue).to.be.closeTo(6100 / 40 / 1e9, 1e-15);
    expect(busy.fp32).to.be.closeTo(4000 / 40 / 1e9, 1e-15);
    expect(busy.other).to.be.closeTo(100 / 5 / 1e9, 1e-15);
    expect(bound).to.equal('issue');
    expect(seconds).to.equal(busy.issue);
  });

  it('takes what it did not run to be like what it did, and waits for the fullest multiprocessor', () => {
    const all = { ...idle, grid: [20, 1, 1], launches: 2, blocks: 40, instructions: { fp32: 4000 } };
    const sampled = { ...all, blocks: 4, instructions: { fp32: 400 } };
    expect(launchTime(sampled, gpu).seconds).to.be.closeTo(launchTime(all, gpu).seconds, 1e-15);
    // 11 blocks on ten multiprocessors: one has two.
    const uneven = { ...idle, grid: [11, 1, 1], blocks: 11, instructions: { fp32: 1100 } };
    expect(launchTime(uneven, gpu).busy.fp32).to.be.closeTo(200 / 4 / 1e9, 1e-15);
  });

  it('counts wavefronts, sectors and the work of tensor cores', () => {
    const { busy, sectorsUsed, conflicts } = launchTime(
      {
        ...idle,
        globalLoads: { bytes: 64_000, usedBytes: 48_000, sectors: 2000 },
        sectorsPastL1: 400,
        sharedLoads: { bytes: 128_000, wavefronts: 1500, least: 1000 },
        tensor: { 'm16n8k8 tf32': 1000, 'm16n8k16 bf16': 1000 },
      },
      gpu,
    );
    expect(busy.L2).to.be.closeTo(64_000 / 1000 / 1e9, 1e-15);
    expect(busy.shared).to.be.closeTo((1500 + 400) / 10 / 1e9, 1e-15);
    expect(busy.tensor).to.be.closeTo(2000 / 10 / 0.5 / 1e9, 1e-15);
    expect(sectorsUsed).to.equal(0.75);
    expect(conflicts).to.equal(0.5);
  });

  it('gives a pass its kernels one after the other, or its memory', () => {
    const launches = [100, 300].map((fp32) => launchTime({ ...idle, instructions: { fp32, other: fp32 } }, gpu));
    expect(passTime(launches, 0, gpu)).to.deep.equal({
      seconds: launches[0]!.seconds + launches[1]!.seconds,
      bound: 'issue',
    });
    expect(passTime(launches, 1e12, gpu)).to.deep.equal({ seconds: 1, bound: 'memory' });
  });

  it('knows the floor of the layer that docs/performance.md works out', () => {
    const h100 = gpus[0]!;
    const work = workOf(modelCases(32)[0]!);
    expect(work.fmas).to.equal(32 * 3136 * 64 * 64 * 5);
    expect(work.additions).to.equal(32 * 3136 * 64 * 33);
    const lanes = 132 * 128 * 1.98e9;
    expect(floorTime(work, h100)).to.deep.equal({ bound: 'fp32', seconds: (work.fmas + work.additions) / lanes });
    expect(floorTime(work, h100, 'bf16').bound).to.equal('memory');
    // Of ten multiprocessors at 1 GHz the tensor cores do 2048 multiply-adds a clock, half of that by mma.sync.
    const product = { fmas: 2048e10, additions: 0, bytes: 0 };
    expect(floorTime(product, gpu, 'bf16')).to.deep.equal({ bound: 'tensor', seconds: 2 });
    const half = workOf({ ...modelCases(32)[0]!, dtype: 'bfloat16' });
    expect(half).to.deep.equal({ ...work, bytes: 2 * 2 * 32 * 3136 * 64 + 4 * 64 * 64 * 5 });
  });

  it('counts products of bfloat16 without bank conflicts', async function () {
    if (cudaSim === undefined) return this.skip();
    const layer: ModelCase = {
      name: '1x64>64 28^2 bf16',
      batch: 1,
      channels: 64,
      outputs: 64,
      extent: 28,
      op: 'ring_conv',
      side: 9,
      dtype: 'bfloat16',
    };
    const { forward } = await countPasses(layer, cudaSim, 0, ['forward']);
    const [, product] = forward; // behind the packing of weights
    // Tiles are of 14 x 7 pixels, of which the product takes 112.
    expect(product!.tensor).to.deep.equal({ 'm16n8k16 bf16': (workOf(layer).fmas / 2048) * (112 / 98) });
    // Windows are spread over the rows of shared memory, and that is where the few are.
    expect(launchTime(product!, gpus[0]!).conflicts).to.be.below(0.1);
  });

  // The demands of docs/cuda.md, counted as its table is.
  describe('of the forward pass of bfloat16 on an H100', () => {
    before(function () {
      if (cudaSim === undefined) this.skip(); // devices.ts says why
    });

    const h100 = gpus[0]!;
    const cases = modelCases(32).filter(({ dtype }) => dtype === 'bfloat16');
    const modelled = async (modelCase: ModelCase) => {
      const { forward } = await countPasses(modelCase, cudaSim!, 16, ['forward']);
      const launches = forward.map((counts) => launchTime(counts, h100));
      return { launches, ...passTime(launches, workOf(modelCase).bytes, h100) };
    };
    const isPlanar = ({ axes = 2 }: ModelCase): boolean => axes === 2;
    const rings = cases.filter(({ op, channels, outputs }) => op === 'ring_conv' && channels === outputs);
    for (const ring of rings.filter(isPlanar)) {
      it(`${ring.name}: 60 % of the floor, whole sectors, no bank conflicts, at most 1.2 of a dense 3x3`, async () => {
        const { launches, seconds } = await modelled(ring);
        expect(floorTime(workOf(ring), h100, 'bf16').seconds / seconds).to.be.at.least(0.6);
        const product = launches[1]!; // behind the packing of weights
        expect(product.sectorsUsed).to.be.at.least(0.95);
        expect(product.conflicts).to.be.below(0.01); // where y is stored
        const isDense = ({ op, side, channels }: ModelCase) =>
          op === 'conv' && side === 3 && channels === ring.channels;
        const dense = cases.filter(isPlanar).find(isDense)!;
        expect(seconds / (await modelled(dense)).seconds).to.be.at.most(1.2);
      });
    }

    for (const ring of rings.filter((each) => !isPlanar(each))) {
      it(`${ring.name}: no bank conflicts to speak of, less than a dense 3x3x3`, async () => {
        const { launches, seconds } = await modelled(ring);
        expect(launches[1]!.conflicts).to.be.below(0.03); // where windows of k = 9 are copied
        const dense = cases.find(
          ({ op, axes, channels }) => op === 'conv' && axes === 3 && channels === ring.channels,
        )!;
        expect(seconds / (await modelled(dense)).seconds).to.be.below(1);
      });
    }
  });

  it('finds whole sectors in passes over memory', async function () {
    if (cudaSim === undefined) return this.skip();
    for (const [op, side] of [
      ['batch_norm', 1],
      ['max_pool', 2],
      ['pad', 3],
      ['rotate', 1],
    ] as const) {
      const sizes = { batch: 1, channels: 2, outputs: 2, extent: 56, side };
      const passCase: ModelCase = { name: op, ...sizes, op, dtype: 'float32' };
      const { forward, backward_input, backward_weight } = await countPasses(passCase, cudaSim, 0);
      expect(backward_weight).to.deep.equal([]);
      // The first launch of each pass reads all of its tensors: rows of 56 floats are seven sectors.
      for (const counts of [forward[0]!, backward_input[0]!]) {
        expect(launchTime(counts, gpus[0]!).sectorsUsed, counts.kernel).to.be.above(0.95);
      }
    }
  });

  for (const dtype of ['float32', 'bfloat16'] as const) {
    it(`finds whole sectors and no bank conflicts in convolutions of one tap, ${dtype}`, async function () {
      if (cudaSim === undefined) return this.skip();
      const sizes = { batch: 1, channels: 64, outputs: 64, extent: 28, side: 1 };
      const counts = await countPasses({ name: '1x1', ...sizes, op: 'conv', dtype }, cudaSim, 0);
      for (const launches of Object.values(counts)) {
        const product = launches.find(({ kernel }) => kernel.includes('conv_pointwise'))!;
        const time = launchTime(product, gpus[0]!);
        expect(time.sectorsUsed, product.kernel).to.be.at.least(0.95);
        expect(time.conflicts, product.kernel).to.be.below(0.01);
      }
    });
  }

  it('finds no bank conflicts in ring convolutions', async function () {
    if (cudaSim === undefined) return this.skip();
    const layers = modelCases(32).filter(({ op, channels, outputs }) => op === 'ring_conv' && channels === outputs);
    expect(layers).to.have.length(2 * (4 + 2));
    for (const layer of layers) {
      const { forward, backward_weight } = await countPasses(layer, cudaSim, 4, ['forward', 'backward_weight']);
      // Behind the packing of weights, and before the sum of pieces. What there is are copies of windows and results.
      for (const product of [forward[1]!, backward_weight[0]!]) {
        expect(launchTime(product, gpus[0]!).conflicts, `${layer.name} ${product.kernel}`).to.be.below(0.03);
      }
    }
  });

  it('finds no bank conflicts where depthwise layers multiply', async function () {
    if (cudaSim === undefined) return this.skip();
    // What the loop of slide_rows reads.
    const source = readFileSync('native/ops/conv/plane_rows.cuh', 'utf8').split('\n');
    const first = source.findIndex((text) => text.includes('void load_aligned_floats('));
    const reads = source.flatMap((text, i) => (i > first && i < first + 20 && text.includes('load_') ? [i + 1] : []));
    const layers = modelCases(32).filter(({ op }) => op === 'depthwise');
    expect(layers).to.have.length(2 * 6);
    for (const layer of layers) {
      for (const [pass, launches] of Object.entries(await countPasses(layer, cudaSim, 4))) {
        const { kernel, lines } = launches[0]!;
        const loop = lines.filter(({ place }) =>
          reads.some((line) => place.endsWith(`(inlined at plane_rows.cuh:${line})`)),
        );
        expect(total(loop.map(({ shared }) => shared.wavefronts)), kernel).to.be.above(0);
        const conflicts = conflictsOf(loop.map(({ shared }) => shared));
        // Of a band with fewer rows the last are read beside others' at other banks; single taps of several planes lie a
        // multiple of four words apart.
        const isUneven = pass === 'backward_weight' && layer.side === 9;
        const hasSingleTaps = pass !== 'backward_weight' && layer.extent === 7;
        const allowed = isUneven ? 0.07 : hasSingleTaps ? 0.04 : 0.001;
        expect(conflicts, `${layer.name} ${kernel}`).to.be.below(allowed);
        // Copies and results, where a warp has the end of a row and the beginning of the next.
        const all = layer.dtype === 'float32' ? 0.11 : 0.28;
        if (layer.side === 3) expect(launchTime(launches[0]!, gpus[0]!).conflicts, layer.name).to.be.below(all);
      }
    }
  });

  it('counts what the kernels do, also from a sample of their blocks', async function () {
    if (cudaSim === undefined) return this.skip();
    const layer = { name: '2x64>64 14^2', batch: 2, channels: 64, outputs: 64, extent: 14 };
    const cases: ModelCase[] = [
      { ...layer, op: 'ring_conv', side: 5, dtype: 'float32' },
      { ...layer, op: 'conv', side: 3, dtype: 'float32' },
    ];
    for (const modelCase of cases) {
      const all = await countPasses(modelCase, cudaSim, 0);
      const sampled = await countPasses(modelCase, cudaSim, 8);
      const work = workOf(modelCase);
      for (const pass of ['forward', 'backward_input', 'backward_weight'] as const) {
        // Weights may be packed before.
        const product = all[pass].findIndex(({ kernel }) => !kernel.includes('pack_'));
        const lanes = 32 * all[pass][product]!.instructions['fp32']!;
        // What goes beyond the product and ring sums is padding: tiles of 64 or 112 pixels over images of 196.
        expect(lanes, `${modelCase.name} ${pass}`).to.be.within(work.fmas, 2 * (work.fmas + work.additions));
        // Blocks at the borders have less to do than others.
        const [full, part] = [all, sampled].map((each) => launchTime(each[pass][product]!, gpu));
        expect(part!.seconds / full!.seconds, `${modelCase.name} ${pass}`).to.be.within(0.95, 1.05);
      }
    }
  });
});
