// scripts/gpu.sh as far as it goes without a GPU.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cudaSim } from './support/devices.js';

const script = join(process.cwd(), 'scripts', 'gpu.sh');
const programs = join(process.cwd(), 'build', 'Release');

interface Run {
  status: number | null;
  stdout: string;
  stderr: string;
}

function run(args: readonly string[], environment: Record<string, string> = {}): Run {
  const { LD_PRELOAD: _, ...env } = process.env;
  const options = { encoding: 'utf8', timeout: 590_000, env: { ...env, ...environment } } as const;
  const { status, stdout, stderr } = spawnSync(script, args, options);
  return { status, stdout, stderr };
}

/** Titles of the suites of ops, and of others that run on every device there is, but for GPUs. */
function deviceTitles(): string[] {
  const suites = ['golden', 'ops/*', 'nn/*', 'core/*', 'life/arrays', 'optim/*'];
  const args = [
    '--no-config',
    '--dry-run',
    '--reporter',
    'json',
    ...suites.map((name) => `build-ts/test/${name}.test.js`),
  ];
  const { stdout } = spawnSync(process.execPath, [join('node_modules', 'mocha', 'bin', 'mocha.js'), ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    env: { ...process.env, CUDA_VISIBLE_DEVICES: '' },
  });
  const report = JSON.parse(stdout.slice(stdout.search(/^\{/m))) as { tests: { fullTitle: string }[] };
  return report.tests.map(({ fullTitle }) => fullTitle);
}

describe('scripts/gpu.sh', function () {
  this.timeout(600_000);

  const isBuilt = existsSync(join(programs, 'gmr_profile'));
  if (!isBuilt) console.log('scripts/gpu.sh: not run, gmr_profile was not built (CMake option GMR_BENCH)');

  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'gmr-gpu-'))));
  after(() => rmSync(folder, { recursive: true }));

  it('--dry-cpu runs the steps that need no GPU and reports each', function () {
    if (!isBuilt) this.skip();
    const report = join(folder, 'report');
    const { status, stdout, stderr } = run(['--dry-cpu', '--programs', programs, report]);
    expect(status, stdout + stderr).to.equal(0);
    const summary = readFileSync(join(report, 'summary.md'), 'utf8');
    const results = [...summary.matchAll(/^\| ([\w-]+) \| (.+) \| \d+ \|$/gm)].map(
      (match) => [match[1], match[2]!] as const,
    );
    expect(results.map(([step]) => step)).to.deep.equal(
      (
        'machine build check-cuda-sim profile-layers profile-resnet18 profile-cold profile-graph nsys peers sanitizers ' +
        'mocha'
      ).split(' '),
    );
    for (const [step, result] of results) expect(result, step).to.match(/^(ok|skipped: .+)$/);
    for (const type of ['float32', 'high', 'bf16']) {
      expect(summary).to.match(new RegExp(String.raw`^ring_conv +backward_weight +1x64>64 56\^2 k=9 +${type} `, 'm'));
    }
    for (const file of readdirSync(report).filter((name) => name.endsWith('.json'))) {
      expect(JSON.parse(readFileSync(join(report, file), 'utf8')), file).to.be.an('object');
    }
    expect(readdirSync(report)).to.include.members([
      'cold.json',
      'layers.json',
      'log.txt',
      'resnet18.json',
      'summary.md',
    ]);
  });

  describe('with stand-ins for the GPU and all programs', () => {
    let tools: string;
    let path: string;
    let result: ReturnType<typeof run>;
    let log: string;
    let summary: string;

    before(() => {
      tools = join(folder, 'tools', 'build', 'Release');
      path = `${tools}:${process.env['PATH']}`;
      mkdirSync(tools, { recursive: true });
      const stand = (name: string, body: string): void => {
        writeFileSync(join(tools, name), `#!/bin/bash\n${body}\n`, { mode: 0o755 });
      };
      stand('gmr_profile', 'echo "profile $GMR_CUDA_SIM_ARCH $*"; [[ $* != *--cold* ]]');
      stand('nvidia-smi', '[[ $* == *compute_cap* ]] && echo 9.0 || echo "A GPU, 580.1, 81559 MiB"');
      stand('compute-sanitizer', 'echo "$*"; [[ $2 != racecheck ]] || exit 9');
      for (const name of ['python3', 'nsys']) stand(name, `echo "${name} $*"`);
      stand('npx', 'echo "npx $GMR_CONV_PREBUILD $GMR_CUDA_SIM_ARCH $*"');
      stand('gmr.node', 'exit 1');
      const report = join(folder, 'stand-ins');
      result = run(['--programs', tools, '--reference', 'rings:Layer', report], { PATH: path });
      log = readFileSync(join(report, 'log.txt'), 'utf8').replaceAll(`${tools}/`, '').replaceAll(`${report}/`, '');
      summary = readFileSync(join(report, 'summary.md'), 'utf8');
    });

    it('a step that fails does not stop the others; the exit code is 1', () => {
      expect(result.status, result.stderr).to.equal(1);
      const results = [...summary.matchAll(/^\| ([\w-]+) \| (.+) \| \d+ \|$/gm)].map(
        (match) => `${match[1]} ${match[2]}`,
      );
      expect(results).to.deep.equal([
        'machine ok',
        'build skipped: taken from --programs',
        'check ok',
        'calibration ok',
        'profile-layers ok',
        'profile-resnet18 ok',
        'profile-cold **failed** (exit code 1)',
        'profile-graph ok',
        'nsys ok',
        'peers ok',
        'memcheck ok',
        'racecheck **failed** (exit code 9)',
        'initcheck ok',
        'synccheck ok',
        'mocha ok',
      ]);
      expect(summary).to.include('- device: A GPU, 580.1, 81559 MiB');
    });

    it('runs each tool as it should', () => {
      const check = 'gmr_profile --check --device cuda --against cpu';
      for (const line of [
        'profile  --check --device cuda --against cpu --json check.json',
        'profile 90 --check --device cuda --against cuda_sim --json calibration.json',
        'profile  --device cuda --batch 32 --dtype float32,bf16 --suite layers --precision highest,high --json layers.json',
        'profile  --device cuda --batch 32 --dtype float32,bf16 --suite resnet18 --json resnet18.json',
        'profile  --device cuda --suite layers --batch 32 --dtype float32,bf16 --graph',
        'python3 bench/peer/torch_peer.py --batch 32 --profile layers.json --json peers.json --reference rings:Layer --limit 90',
        `--tool memcheck --error-exitcode 9 ${check}`,
        `--tool initcheck --error-exitcode 9 ${check}`,
        'npx   tsc -p .',
      ]) {
        expect(log.split('\n')).to.include(line);
      }
      expect(log).to.match(
        /^nsys profile --trace cuda,nvtx .* gmr_profile --device cuda --suite layers .* --once --nvtx$/m,
      );
      expect(log).to.match(new RegExp(`^--tool racecheck .* ${check}$`, 'm'));
      expect(log).to.match(new RegExp(`^--tool synccheck .* ${check}$`, 'm'));
    });

    it('mocha, of the addon beside the programs, runs all tests on the GPU and none on another device', function () {
      const [, where, pattern] = /^npx (\S+) 90 mocha --grep (.+)$/m.exec(log)!;
      expect(where).to.equal(join(folder, 'tools'));
      if (cudaSim === undefined) return this.skip();
      const grep = new RegExp(pattern!);
      const titles = deviceTitles();
      expect(titles.filter((title) => grep.test(title))).to.deep.equal([]);
      // What the interpreter's would be called on a GPU.
      const onGpu = titles
        .filter((title) => title.includes('cuda_sim'))
        .map((title) => title.replace('cuda_sim', 'cuda'));
      expect(onGpu.filter((title) => !grep.test(title))).to.deep.equal([]);
      for (const part of ['(cuda)', '(cuda, bfloat16)', '(cuda sm_80)', 'cuda sm_80: ']) {
        expect(
          onGpu.filter((title) => title.includes(part)),
          part,
        ).not.to.deep.equal([]);
      }
    });

    it('says why mocha is not run', () => {
      rmSync(join(tools, 'gmr.node'));
      const { stdout } = run(['--programs', tools, join(folder, 'without-addon')], { PATH: path });
      expect(stdout).to.match(/^mocha +skipped: there is no build\/Release\/gmr\.node in \S+ \(0 s\)$/m);
    });
  });

  for (const [args, message] of [
    [['--bogus'], "expected an option that --help shows, received '--bogus'"],
    [['--programs'], 'expected a folder behind --programs'],
    [['--reference'], 'expected module:Class behind --reference'],
    [['--programs', '/missing'], "expected gmr_profile in the folder of --programs, received '/missing'"],
    [['a', 'b'], "expected one folder, received 'a' and 'b'"],
    [['/proc/report'], "expected to make the folder '/proc/report', cannot"],
  ] as const) {
    it(`refuses ${args.join(' ')}`, () => {
      const { status, stderr } = run(args);
      expect(status).to.equal(2);
      expect(stderr).to.equal(`gpu.sh: ${message}\n`);
    });
  }

  it('--help shows its options', () => {
    const { status, stdout } = run(['--help']);
    expect(status).to.equal(0);
    expect(stdout)
      .to.match(/^ {2}--dry-cpu /m)
      .and.to.match(/^ {2}--programs /m)
      .and.to.match(/^ {2}--reference /m);
  });
});
