// gmr_profile (bench/native/profile), run as an engineer runs it: without the addon, on the processor's libraries and on the
// interpreter of CUDA kernels.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ringAdditions } from '../../bench/support/ring_work.js';
import { tooLargeForSm80 } from '../support/ring_kernels.js';

const folder = join(process.cwd(), 'build', 'Release');
const program = join(folder, 'gmr_profile');
const hasSimulator = existsSync(join(folder, 'libgmr_cuda_sim.so'));

interface Run {
  status: number | null;
  stdout: string;
  stderr: string;
}

function profile(args: readonly string[], environment: Record<string, string> = {}): Run {
  // A sanitizer's runtime that Node was started with is not for this program.
  const { LD_PRELOAD: _, ...env } = process.env;
  const options = { encoding: 'utf8', timeout: 170_000, env: { ...env, ...environment } } as const;
  const { status, stdout, stderr } = spawnSync(program, args, options);
  return { status, stdout, stderr };
}

function succeed(args: readonly string[], environment?: Record<string, string>): string {
  const { status, stdout, stderr } = profile(args, environment);
  expect(status, `${args.join(' ')}: ${stdout}${stderr}`).to.equal(0);
  return stdout;
}

interface Milliseconds {
  median: number;
  p5: number;
  p95: number;
}

interface Result {
  op: string;
  pass: string;
  case: string;
  dtype: string;
  uses: number;
  ms: Milliseconds;
  samples: number;
  flops: number;
  additions: number;
  bytes: number;
  gflops: number;
  bound: string;
  fraction: number | null;
  baseline?: { ms: number; change: string };
  kernels?: {
    kernel: string;
    threads: number;
    registers: number;
    staticSharedBytes: number;
    blocksPerMultiprocessor: number;
    occupancy: number;
  }[];
}

interface Report {
  device: { backend: string; level: string; description: string };
  ceilings: { fmaGflops: number; addGadds: number; copyGBs: number };
  results: Result[];
}

interface CheckReport {
  checks: {
    op: string;
    pass: string;
    case: string;
    dtype: string;
    tolerance: number;
    error: number;
    sameBits: boolean;
    failure: string;
  }[];
  /** Of the interpreter; empty of other backends. */
  kernels: { kernel: string; launches: number }[];
}

/** `<op> <pass>` of every line of ops.def. */
function allPasses(): string[] {
  const lines = readFileSync(join(process.cwd(), 'native/ops/ops.def'), 'utf8').split('\n');
  return lines.flatMap((line) => {
    const match = /^GMR_PASS\((\w+), (\w+), \w+\)$/.exec(line);
    return match === null ? [] : [`${match[1]} ${match[2]}`];
  });
}

function usableLevels(): string[] {
  const { stdout } = profile(['--list']);
  return ['v2', 'v3', 'v4', 'portable'].filter((level) => stdout.includes(`libgmr_cpu_${level}.so`));
}

const smallRing = ['--op', 'ring_conv', '--shape', '1,2,3,7,9,5'];

describe('gmr_profile', function () {
  if (!existsSync(program)) {
    console.log(`gmr_profile: skipped, ${program} was not built (CMake option GMR_BENCH)`);
    return;
  }
  this.timeout(180_000); // the interpreter goes through every pass in seconds, and in a minute on a busy machine

  let scratch: string;
  before(() => (scratch = mkdtempSync(join(tmpdir(), 'gmr-profile-'))));
  after(() => rmSync(scratch, { recursive: true }));

  function report(args: readonly string[]): Report {
    const file = join(scratch, 'report.json');
    succeed([...args, '--json', file]);
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  }

  it('--list names backends, every pass and the suites', () => {
    const listed = succeed(['--list']);
    expect(listed).to.match(/^cpu +\S+ +\S+libgmr_cpu_\w+\.so$/m);
    for (const line of allPasses()) {
      const [op, pass] = line.split(' ') as [string, string];
      expect(listed).to.match(new RegExp(`^${op} .*\\b${pass}\\b`, 'm'));
    }
    expect(listed)
      .to.match(/^layers /m)
      .and.to.match(/^resnet18 /m)
      .and.to.match(/^all /m);
  });

  it('--help names every option', () => {
    const { status, stdout } = profile(['--help']);
    expect(status).to.equal(0);
    for (const option of [
      'list',
      'op',
      'pass',
      'shape',
      'dtype',
      'precision',
      'suite',
      'batch',
      'device',
      'library',
      'repeat',
      'cold',
      'once',
    ]) {
      expect(stdout).to.include(`  --${option} `);
    }
    for (const option of ['json', 'baseline', 'check', 'against', 'tolerance', 'ncu', 'graph', 'nvtx']) {
      expect(stdout).to.include(`  --${option} `);
    }
  });

  it('times one case against the ceilings', () => {
    const { device, ceilings, results } = report([...smallRing, '--pass', 'forward', '--repeat', '5']);
    expect(device.backend).to.equal('cpu');
    for (const ceiling of Object.values(ceilings)) expect(ceiling).to.be.greaterThan(0.1);
    expect(results).to.have.length(1);
    const [result] = results as [Result];
    expect(result).to.include({ op: 'ring_conv', pass: 'forward', samples: 5 });
    // 2 N O C R P; k = 5 takes 9 row runs and 4 additions for them a pixel and channel.
    expect(result.flops).to.equal(2 * 3 * 2 * 3 * 63);
    expect(result.additions).to.equal(2 * 63 * 13);
    expect(result.bytes).to.equal(4 * (2 * 63 + 3 * 2 * 3 + 3 * 63));
    const { p5, median, p95 } = result.ms;
    expect(p5).to.be.greaterThan(0);
    expect(median).to.be.within(p5, p95);
    expect(result.gflops).to.be.closeTo(result.flops / median / 1e6, 1e-6 * result.gflops);
  });

  it('counts the additions of a volume by shells, as npm run bench does', () => {
    const { results } = report('--suite layers --batch 1 --repeat 1 --op ring_conv --pass forward'.split(' '));
    const additions = new Map(results.map((result) => [result.case, result.additions]));
    expect(additions.get('1x16>16 16^3 k=9')).to.equal(16 * 16 ** 3 * ringAdditions([9, 9, 9]));
    expect(additions.get('1x32>32 20x36x30 k=5')).to.equal(32 * 20 * 36 * 30 * ringAdditions([5, 5, 5]));
    expect([3, 5, 7, 9].map((side) => ringAdditions([side, side, side]))).to.deep.equal([8, 21, 35, 63]);
  });

  it('--dtype bf16: activations take half the bytes, weights do not', () => {
    const args = ['--op', 'ring_conv', '--shape', '1,2,3,7,9,5', '--pass', 'forward', '--repeat', '1'];
    const { results } = report([...args, '--dtype', 'float32,bf16']);
    expect(results.map(({ dtype }) => dtype)).to.deep.equal(['float32', 'bf16']);
    const [float32, bf16] = results as [Result, Result];
    expect(bf16.bytes).to.equal(2 * (2 * 63 + 3 * 63) + 4 * 3 * 2 * 3);
    expect(bf16).to.include({ flops: float32.flops, additions: float32.additions, case: float32.case });
    const cast = report(['--op', 'cast', '--shape', '1,1,4,4', '--dtype', 'bf16', '--repeat', '1']).results;
    expect(cast.map(({ bytes }) => bytes)).to.deep.equal([16 * (4 + 2)]);
  });

  it('an op that has float32 alone runs once for all types', () => {
    const args = '--suite resnet18 --batch 1 --repeat 1 --op ring_weight,global_avg_pool --pass forward'.split(' ');
    const file = join(scratch, 'types.json');
    const text = succeed([...args, '--dtype', 'float32,bf16', '--json', file]);
    const { results } = JSON.parse(readFileSync(file, 'utf8')) as Report;
    const weights = results.filter(({ op }) => op === 'ring_weight');
    expect(new Set(weights.map((each) => each.case)).size).to.equal(weights.length);
    expect(weights.map(({ dtype }) => dtype))
      .to.include('float32')
      .and.not.to.include('bf16');
    const pools = results.filter(({ op }) => op === 'global_avg_pool');
    expect(pools.map(({ dtype }) => dtype)).to.deep.equal(['float32', 'bf16']);
    // It counts in the sum of either.
    const sum = (dtype: string): number =>
      [...weights, pools.find((each) => each.dtype === dtype)!].reduce(
        (ms, each) => ms + each.ms.median * each.uses,
        0,
      );
    for (const dtype of ['float32', 'bf16']) {
      const [, shown] = new RegExp(`^all, each as often as it is used, ${dtype}: (\\S+) ms$`, 'm').exec(text)!;
      expect(Number(shown)).to.be.closeTo(sum(dtype), 0.01 * sum(dtype));
    }
  });

  it('--precision high is for products', () => {
    const args = '--suite layers --batch 1 --repeat 1 --op conv --pass forward --precision highest,high'.split(' ');
    const names = report(args).results.map(({ case: name, dtype }) => `${name} ${dtype}`);
    expect(names).to.have.length(12);
    expect(names).to.include('1x64>64 56^2 k=3 float32').and.to.include('1x64>64 56^2 k=3 high');
  });

  it('the roofline: what is bound by arithmetic is below its ceiling', () => {
    const { results } = report(['--op', 'conv', '--pass', 'forward', '--shape', '1,32,32,28,28,3', '--repeat', '5']);
    expect(results[0]!.bound).to.equal('fma');
    // About 0.7; the ceiling is measured next to each sample, and others may use the machine.
    expect(results[0]!.fraction).to.be.within(0.05, 1.2);
  });

  it('--cold asks for the limit of memory', () => {
    const args = ['--op', 'add', '--shape', '1,8,64,64', '--repeat', '7'];
    const warm = report(args).results[0]!;
    const cold = report([...args, '--cold']).results[0]!;
    expect(warm).to.include({ bound: 'caches', fraction: null });
    expect(cold.bound).to.equal('memory');
  });

  it('--suite runs all of its cases, --op and --pass some of them', () => {
    const args = ['--suite', 'layers', '--batch', '1', '--repeat', '1'];
    const all = report([...args, '--op', 'ring_conv']).results;
    expect(all).to.have.length(11 * 3);
    expect(all.map(({ case: name }) => name)).to.include('1x64>64 56^2 k=9');
    expect(report([...args, '--op', 'ring_conv', '--pass', 'forward']).results).to.have.length(11);
  });

  it('the train step of ResNet-18 has the parameters of the network', () => {
    const { results } = report(['--suite', 'resnet18', '--batch', '1', '--repeat', '1']);
    const step = results.filter(({ op }) => op === 'sgd');
    // SGD reads three arrays and writes two of them.
    const parameters = step.reduce((sum, { bytes, uses }) => sum + (bytes / 20) * uses, 0);
    // 3,996,685 with 10 classes (lib/models/resnet.ts), 990 more with 513 parameters each here.
    expect(parameters).to.equal(3_996_685 + 990 * 513);
    expect(
      results.filter(({ op, pass }) => op === 'ring_conv' && pass === 'forward').reduce((n, r) => n + r.uses, 0),
    ).to.equal(17);
  });

  it('bench/peer/torch_peer.py times the planes of the suite layers', () => {
    const peer = readFileSync(join(process.cwd(), 'bench/peer/torch_peer.py'), 'utf8');
    const names = [...peer.matchAll(/Layer\((.+), (\d+), (\d+), (\d+), (\d+)\),/g)].map(
      ([, batch, inputs, outputs, side, k]) => `${batch === 'batch' ? 4 : 1}x${inputs}>${outputs} ${side}^2 k=${k}`,
    );
    const args = '--suite layers --batch 4 --op ring_conv --pass forward --repeat 1'.split(' ');
    const planes = report(args).results.map(({ case: name }) => name);
    expect(names).to.deep.equal(planes.filter((name) => name.includes('^2')));
  });

  it('every case of the suite all is named once', () => {
    const { stdout } = profile(['--list']);
    const count = Number(/^all +(\d+)/m.exec(stdout)![1]);
    expect(count).to.be.greaterThan(100);
    const { results } = report([
      '--suite',
      'all',
      '--batch',
      '1',
      '--repeat',
      '1',
      '--op',
      'sgd,conv,ring_weight,rotate',
    ]);
    const names = results.map(({ op, pass, case: name }) => `${op} ${pass} ${name}`);
    expect(new Set(names).size).to.equal(names.length);
  });

  describe('--check', () => {
    function checked(args: readonly string[]): CheckReport {
      const file = join(scratch, 'check.json');
      succeed(['--check', ...args, '--json', file]);
      return JSON.parse(readFileSync(file, 'utf8')) as CheckReport;
    }

    function checks(args: readonly string[]): CheckReport['checks'] {
      return checked(args).checks;
    }

    let levels: string[];
    before(() => {
      levels = usableLevels();
      if (levels.length < 2) console.log('gmr_profile: levels not compared, this processor has one');
    });

    it('two levels of the processor agree in every pass', function () {
      if (levels.length < 2) this.skip();
      const [against, level] = levels.slice(-2) as [string, string];
      const done = checks(['--library', `libgmr_cpu_${level}.so`, '--against', `libgmr_cpu_${against}.so`]);
      expect([...new Set(done.map(({ op, pass }) => `${op} ${pass}`))].toSorted()).to.deep.equal(
        allPasses().toSorted(),
      );
      expect(done.every(({ error, tolerance, failure }) => error <= tolerance && failure === '')).to.equal(true);
      expect([...new Set(done.map(({ dtype, tolerance }) => `${dtype} ${tolerance}`))].toSorted()).to.deep.equal([
        'bf16 0.00390625',
        'float32 0.00001',
        'high 0.00001',
      ]);
    });

    it('a library agrees with itself to the bit', () => {
      const done = checks(['--device', 'cpu', '--against', 'cpu', '--op', 'conv,ring_conv,batch_norm,sgd']);
      expect(done.length).to.be.greaterThan(50);
      expect(done.filter(({ sameBits }) => !sameBits)).to.deep.equal([]);
    });

    it('other cases than the small ones', () => {
      const done = checks(['--device', 'cpu', '--against', 'cpu', ...smallRing, '--dtype', 'bf16']);
      expect(done.map(({ pass, dtype }) => `${pass} ${dtype}`)).to.deep.equal([
        'forward bf16',
        'backward_input bf16',
        'backward_weight bf16',
      ]);
    });

    it('a difference beyond the tolerance is named, exit code 1', function () {
      if (levels.length < 2) this.skip();
      const [against, level] = levels.slice(-2) as [string, string];
      const options = `--check --library libgmr_cpu_${level}.so --against libgmr_cpu_${against}.so`;
      const { status, stdout } = profile(
        `${options} --op ring_conv --pass backward_weight --precision highest --dtype float32 --tolerance 1e-12`.split(
          ' ',
        ),
      );
      expect(status).to.equal(1);
      expect(stdout).to.match(/^FAILED {2}ring_conv backward_weight, .*: dv is off by [\d.e-]+, relative$/m);
      expect(stdout).to.match(/^\d+ of 45 cases agree, within 1e-12/m);
    });

    describe('on the interpreter of CUDA kernels', () => {
      if (!hasSimulator) {
        console.log('gmr_profile on cuda_sim: skipped, there was no nvcc when native code was built');
        return;
      }

      it('every pass agrees with the processor, and every kernel that has the shared memory is launched', () => {
        const done = checked(['--device', 'cuda_sim', '--against', 'cpu']);
        expect(new Set(done.checks.map(({ op, pass }) => `${op} ${pass}`)).size).to.equal(allPasses().length);
        expect(done.kernels.length).to.be.greaterThan(100);
        const idle = done.kernels.filter(({ kernel, launches }) => launches === 0 && !tooLargeForSm80.test(kernel));
        expect(idle).to.deep.equal([]);
      });

      it('a launch that fails is a failed check', () => {
        const { status, stdout } = profile(['--check', '--device', 'cuda_sim', '--against', 'cpu', '--op', 'add'], {
          GMR_CUDA_SIM_FAIL: 'cudaLaunchKernel:2:719',
        });
        expect(status).to.equal(1);
        expect(stdout).to.match(/^FAILED {2}add forward, 105: cuda_sim: .*add_forward_kernel/m);
        expect(stdout).to.match(/^1 of 6 cases agree/m);
      });

      it('has no ceilings, and runs a case once for tools', () => {
        const { device, ceilings, results } = report([...smallRing, '--device', 'cuda_sim', '--repeat', '1']);
        expect(device.backend).to.equal('cuda_sim');
        expect(ceilings.fmaGflops).to.equal(0);
        expect(results.map(({ bound, fraction }) => [bound, fraction])).to.deep.equal(results.map(() => ['', null]));
        expect(succeed([...smallRing, '--device', 'cuda_sim', '--once']).split('\n')).to.include(
          'ring_conv forward, 1x2>3 7x9 k=5',
        );
      });

      it('names the kernels of a case, and what they take of a multiprocessor', () => {
        const args = [
          '--op',
          'ring_conv',
          '--shape',
          '1,64,64,8,8,7',
          '--pass',
          'backward_weight',
          '--device',
          'cuda_sim',
        ];
        const file = join(scratch, 'kernels.json');
        const text = succeed([...args, '--repeat', '1', '--json', file], { GMR_CUDA_SIM_ARCH: '90' });
        const { kernels } = (JSON.parse(readFileSync(file, 'utf8')) as Report).results[0]!;
        expect(kernels!.map(({ kernel }) => kernel)).to.include('ring_conv_backward_weight_kernel');
        // The same numbers as in the table of what ptxas gives, which a build for sm_90 has to keep.
        const budget = readFileSync(join(process.cwd(), 'native/cuda/ptxas_budget.txt'), 'utf8');
        for (const { kernel, threads, registers, staticSharedBytes, blocksPerMultiprocessor, occupancy } of kernels!) {
          const line = budget.split('\n').find((each) => new RegExp(`^${kernel}\\b.*\\bsm_90\\b`).test(each));
          expect(line, kernel).to.be.a('string');
          const numbers = line!.match(/\b\d+\b/g)!.map(Number);
          expect(numbers).to.include.members([registers, staticSharedBytes]);
          expect(occupancy).to.be.closeTo((blocksPerMultiprocessor * threads) / 2048, 1e-12);
          expect(text).to.match(new RegExp(`${kernel} .* ${registers} `));
        }
      });

      it('--graph queues the same passes, and is refused where there are no graphs', () => {
        const file = join(scratch, 'graph.json');
        succeed([...smallRing, '--device', 'cuda_sim', '--repeat', '1', '--graph', '--nvtx', '--json', file]);
        expect((JSON.parse(readFileSync(file, 'utf8')) as Report).results).to.have.length(3);
        const { status, stderr } = profile([...smallRing, '--graph']);
        expect(status).to.equal(2);
        expect(stderr).to.include('expected --graph to go with a GPU, received cpu');
      });

      it('the kernels of the ceilings do what is counted', () => {
        const { LD_PRELOAD: _, ...env } = process.env;
        const { status, stderr } = spawnSync(join(folder, 'gmr_profile_tests'), { encoding: 'utf8', env });
        expect(status, stderr).to.equal(0);
      });
    });
  });

  describe('--baseline', () => {
    const args = [...smallRing, '--pass', 'forward', '--repeat', '5'];

    /** Runs against a report of the same case with other times. */
    function against(change: (ms: Milliseconds) => Milliseconds): Run & { marked?: Result['baseline'] } {
      const [before, now] = [join(scratch, 'before.json'), join(scratch, 'now.json')];
      const old = report(args);
      old.results[0]!.ms = change(old.results[0]!.ms);
      writeFileSync(before, JSON.stringify(old));
      const run = profile([...args, '--baseline', before, '--json', now]);
      return { ...run, marked: (JSON.parse(readFileSync(now, 'utf8')) as Report).results[0]!.baseline };
    }

    const times = (factor: number) => (ms: Milliseconds) => ({
      median: ms.median * factor,
      p5: ms.p5 * factor,
      p95: ms.p95 * factor,
    });

    it('marks what became slower, exit code 1', () => {
      const { status, stdout, marked } = against(times(1e-3));
      expect(status).to.equal(1);
      expect(marked!.change).to.equal('slower');
      expect(stdout).to.match(/^ring_conv .* slower$/m);
    });

    it('marks what became faster', () => {
      const { status, marked } = against(times(1e3));
      expect(status).to.equal(0);
      expect(marked!.change).to.equal('faster');
    });

    it('leaves what is within the noise unmarked', () => {
      const { status, marked } = against(({ median }) => ({ median: median / 1e3, p5: 0, p95: median * 1e3 }));
      expect(status).to.equal(0);
      expect(marked!.change).to.equal('');
    });

    it('asks for a report of the same device that has a case in common', () => {
      const file = join(scratch, 'other.json');
      const expectRefusal = (content: string, message: RegExp): void => {
        writeFileSync(file, content);
        const { status, stderr } = profile([...args, '--baseline', file]);
        expect(status).to.equal(2);
        expect(stderr).to.match(message);
      };
      const old = report(args);
      const renamed = { ...old, device: { ...old.device, description: 'cpu, another' } };
      expectRefusal(JSON.stringify(renamed), /a report of the same device \(cpu, .*\), received one of cpu, another/);
      expectRefusal(JSON.stringify({ ...old, cold: true }), /a report without --cold/);
      expectRefusal(JSON.stringify({ ...old, results: [] }), /to have a case in common/);
      expectRefusal('{"device": ', /a report that --json wrote, received .*: expected a value at character 11/);
      expectRefusal('[1, 2', /expected ',' or ']' at character 5/);
      expectRefusal('{"a": "b"} 1', /expected the end/);
      expectRefusal('['.repeat(1e5), /expected fewer brackets/);
    });
  });

  it('--ncu prints the command for the case and runs nothing', () => {
    const printed = succeed(['--ncu', '--device', 'cuda:1', ...smallRing, '--pass', 'forward']);
    expect(printed).to.match(
      /^ncu --set full .* --device cuda:1 --op ring_conv --shape 1,2,3,7,9,5 --pass forward --once\n$/,
    );
  });

  describe('mistakes in the options', () => {
    const mistakes: [string, string][] = [
      ['', 'expected --op, --suite, --check or --list'],
      ['--bogus', "received '--bogus'"],
      ['sgd', "received 'sgd'"],
      ['--op', 'expected a value behind --op'],
      ['--op foo', 'expected --op to be one of activation, add, '],
      ['--op sgd --op sgd', 'expected --op once'],
      ['--op sgd --pass x', 'expected --pass to be one of backward_input, '],
      ['--op sgd --pass forward', 'to have a case in common'],
      ['--op add --dtype bfloat16', "expected --dtype to be one of float32, bf16, received 'bfloat16'"],
      ['--op sgd --dtype bf16', "expected --dtype to be float32, which is all that these ops have, received 'bf16'"],
      ['--op add --precision medium', "expected --precision to be one of highest, high, received 'medium'"],
      ['--op add --precision high', 'expected --precision to be highest, which is all that these ops have'],
      ['--op conv --dtype bf16 --precision high', 'expected --precision to go with --dtype float32'],
      ['--suite x', 'expected --suite to be one of layers, resnet18, all, received'],
      ['--suite all --repeat 0', 'expected --repeat to be an integer from 1 to 10000'],
      ['--suite all --repeat 3x', "received '3x'"],
      ['--suite all --batch -1', 'expected --batch to be an integer from 1 to 4096'],
      ['--op sgd --batch 2', 'expected --batch to go with --suite'],
      ['--shape 4', 'expected --shape to go with one --op'],
      ['--suite all --op sgd --shape 4', 'expected one of --suite and --shape'],
      ['--op ring_conv --shape 1,2', 'expected --shape n,c,o,h,w,k for ring_conv, received 2 numbers'],
      ['--op ring_conv --shape 1,2,3,4,5,4', "to be odd and at most 1023, received '4'"],
      ['--op max_pool --shape 1,1,1,4', 'expected h of --shape n,c,h,w for max_pool to be at least 2'],
      ['--op conv --shape 4000000,4000000,1,1,1,1', 'to be at most 1e12'],
      ['--op sgd --shape 4,', "received ''"],
      ['--op sgd --device gpu', "received 'gpu'"],
      ['--op sgd --device cuda:x', "received 'cuda:x'"],
      ['--op sgd --library missing.so', 'there is no such file'],
      ['--op sgd --library cpu --device cpu', 'expected one of --device and --library'],
      ['--op sgd --json /missing/report.json', 'a file in a folder that is there'],
      ['--op sgd --baseline /missing.json', "cannot read '/missing.json'"],
      ['--check', 'expected --check to go with --against'],
      ['--op sgd --against cpu', 'expected --against to go with --check'],
      ['--check --against cpu --tolerance 2', 'expected --tolerance to be a number between 0 and 1'],
      ['--check --against cpu --cold', 'expected one of --check and --cold'],
      ['--op sgd --ncu --device cuda --json report.json', 'expected one of --ncu and --json'],
      ['--op sgd --ncu --device cuda --baseline report.json', 'expected one of --ncu and --baseline'],
      ['--op sgd --ncu', "expected --device to be cuda for --ncu, received 'cpu'"],
    ];
    for (const [args, message] of mistakes) {
      it(`gmr_profile ${args}`, () => {
        const { status, stdout, stderr } = profile(args === '' ? [] : args.split(' '));
        expect(stderr).to.include(message);
        expect({ status, stdout }).to.deep.equal({ status: 2, stdout: '' });
      });
    }

    it('a library that is no backend', () => {
      const { status, stderr } = profile(['--op', 'sgd', '--library', join(folder, 'gmr.node')]);
      expect(status).to.equal(2);
      expect(stderr).to.match(/expected a device to be|has no symbol gmr_backend|undefined symbol/);
    });
  });
});
