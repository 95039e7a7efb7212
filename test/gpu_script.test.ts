// scripts/gpu.sh as far as it goes without a GPU.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const script = join(process.cwd(), 'scripts', 'gpu.sh');
const programs = join(process.cwd(), 'build', 'Release');

function run(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { LD_PRELOAD: _, OUT: __, ...env } = process.env;
  return spawnSync(script, args, { encoding: 'utf8', timeout: 170_000, env });
}

describe('scripts/gpu.sh', function () {
  this.timeout(180_000);

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
      'machine build check-cuda-sim profile-layers profile-resnet18 profile-cold peers sanitizers mocha'.split(' '),
    );
    for (const [step, result] of results) expect(result, step).to.match(/^(ok|skipped: .+)$/);
    expect(summary).to.match(/^ring_conv +backward_weight +1x64>64 56\^2 k=9 /m);
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

  it('goes on after a step that fails, and says so', function () {
    if (!isBuilt || existsSync('/dev/nvidiactl')) this.skip(); // with a GPU it would do all of its work
    const report = join(folder, 'failed');
    const { status, stdout } = run(['--programs', programs, report]);
    expect(status).to.equal(1);
    expect(stdout).to.match(/^check +\*\*failed\*\* \(exit code 1\)/m);
    expect(stdout)
      .to.match(/^profile-layers +\*\*failed\*\*/m)
      .and.to.match(/^memcheck +\*\*failed\*\*/m);
    const summary = readFileSync(join(report, 'summary.md'), 'utf8');
    expect(summary).to.include('gmr_profile: expected an NVIDIA driver, but this machine has none');
  });

  for (const [args, message] of [
    [['--bogus'], "expected an option that --help shows, received '--bogus'"],
    [['--programs'], 'expected a folder behind --programs'],
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
      .and.to.match(/^ {2}--programs /m);
  });
});
