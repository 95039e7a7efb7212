// gmr doctor: what it finds on this machine, and on machines that are forged.
import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { examine } from '../../lib/doctor/examine.js';
import { formatReport, type BackendCheck, type DoctorReport } from '../../lib/doctor/report.js';
import { addonPath, usableCpuLevels } from '../../lib/native.js';
import { runChild } from '../support/child.js';
import { cudaError } from '../support/cuda_sim.js';
import { cudaSim } from '../support/devices.js';

const cli = fileURLToPath(new URL('../../lib/cli.js', import.meta.url));
const folder = join(tmpdir(), `gmr-doctor-${process.pid}`);
const quiet = { GMR_CUDA_SIM_QUIET: '1' };

function runCli(args: string[], environment: Record<string, string> = {}): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...environment };
    execFile(process.execPath, [cli, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });
}

/** The report of a machine with other environment variables. */
async function examineWith(environment: Record<string, string>, kind = 'cuda'): Promise<DoctorReport> {
  const before = { ...process.env };
  Object.assign(process.env, environment);
  try {
    return await examine(kind);
  } finally {
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}

/** The environment in which the process that tries a device ends as it begins with it. */
function crashAt(device: string): Record<string, string> {
  const crash = join(folder, 'crash.cjs');
  writeFileSync(
    crash,
    `const fs = require('node:fs');
    const write = fs.writeSync;
    fs.writeSync = (file, text) => {
      write(file, text);
      if (text.includes('"started":"${device}"')) process.kill(process.pid, 'SIGSEGV');
    };
    require('node:module').syncBuiltinESMExports();`,
  );
  return { NODE_OPTIONS: `--require ${crash}` };
}

const libraryOf = (level: string): string => `libgmr_cpu_${level.replace('x86-64-', '')}.so`;

/** The environment with copies of the addon and the CPU libraries, in a folder of their own; one of them is changed, or gone. */
function forge(name: string, change?: (bytes: Buffer) => Uint8Array): { GMR_CONV_PREBUILD: string; path: string } {
  const place = mkdtempSync(join(folder, 'forged-'));
  const release = join(place, 'build', 'Release');
  mkdirSync(release, { recursive: true });
  for (const file of ['gmr.node', ...usableCpuLevels().map(libraryOf)]) {
    const bytes = readFileSync(join(dirname(addonPath()), file));
    if (file !== name) writeFileSync(join(release, file), bytes);
    else if (change !== undefined) writeFileSync(join(release, file), change(bytes));
  }
  return { GMR_CONV_PREBUILD: place, path: join(release, name) };
}

const half = (bytes: Buffer): Uint8Array => bytes.subarray(0, bytes.length >> 1);
/** It has its size, and takes the process down that loads it. */
const halfOfZeros = (bytes: Buffer): Uint8Array => bytes.fill(0, bytes.length >> 1);

function find(report: DoctorReport, name: string): BackendCheck | undefined {
  return report.backends.find((backend) => backend.name === name);
}

describe('doctor', () => {
  before(() => mkdirSync(folder, { recursive: true }));
  after(() => rmSync(folder, { recursive: true }));

  it('finds this machine, and all its CPU levels work', async () => {
    const report = await examineWith({ GMR_NUM_THREADS: '1' });
    expect(report.ok, formatReport(report)).to.equal(true);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(report.versions).to.include({ gmr: version, node: process.version });
    // What this process loaded: the sanitizer build is in another folder.
    expect(report.addon.path).to.equal(addonPath());
    expect(report.addon.path).to.match(/build\/Release\/gmr\.node$/);
    expect(report.addon.build).to.match(/^([0-9a-f]{40}(\+changes)?|unreleased), \w+ \d+/);
    const working = report.backends.filter(({ kind, status }) => kind === 'cpu' && status === 'works');
    expect(working.map(({ name }) => name)).to.deep.equal(usableCpuLevels());
    for (const { error, build } of working) {
      expect(error).to.be.within(0, 1e-5);
      expect(build).to.equal(report.addon.build);
    }
    expect(report.cpuLevel).to.deep.equal({
      name: usableCpuLevels()[0],
      reason: 'the best that the processor supports',
    });
    expect(report.threads).to.deep.equal({ used: 1, available: availableParallelism(), requested: '1' });
    expect(report.memory.totalBytes).to.be.greaterThan(report.memory.freeBytes);
    expect(report.memory.tensorBytes).to.be.within(1, 0.9 * report.memory.totalBytes);
    expect(report.memory.requested).to.equal(null);
    expect(formatReport(report)).to.match(/^All that this build has for this machine works\.$/m);
  });

  it('shows GMR_MEMORY_LIMIT and what came of it', async () => {
    const report = await examineWith({ GMR_MEMORY_LIMIT: '64m' });
    expect(report.memory).to.include({ requested: '64m', tensorBytes: 64 * 2 ** 20 });
    expect(formatReport(report)).to.match(/^memory .*, tensors may take 64\.0 MiB, GMR_MEMORY_LIMIT=64m$/m);
  });

  it('a GMR_MEMORY_LIMIT that is no size: the reason at each backend, and nothing said of threads', async () => {
    const { code, output } = await runCli(['doctor'], { GMR_MEMORY_LIMIT: 'lots' });
    expect(code, output).to.equal(1);
    expect(output).to.match(/^memory .* free[^;]*, GMR_MEMORY_LIMIT=lots$/m);
    expect(output).to.match(/^threads +\d+ available$/m);
    expect(output).to.match(
      /^ +FAILED \S+ +\[device\] expected GMR_MEMORY_LIMIT to be a size such as .*, received 'lots'$/m,
    );
  });

  it('takes the CPU level that is asked for', async () => {
    const last = usableCpuLevels().at(-1)!;
    const { cpuLevel } = await examineWith({ GMR_CPU_LEVEL: last });
    expect(cpuLevel).to.deep.equal({ name: last, reason: 'GMR_CPU_LEVEL asks for it' });
  });

  it('a CPU level that cannot be used: exit code 1, and what can be', async () => {
    const { code, output } = await runCli(['doctor'], { GMR_CPU_LEVEL: 'x86-64-v9' });
    expect(code, output).to.equal(1);
    expect(output).to.match(/FAILED x86-64-v9 .*expected one that can be used here: \w/);
    expect(output).to.include('Something that should work does not.');
  });

  it('a CPU library that is damaged has failed, others work', async () => {
    const [best, next] = usableCpuLevels();
    if (next === undefined) return; // one level, as on arm64: nothing is left to work
    const binaries = dirname(addonPath());
    const release = join(folder, 'damaged', 'build', 'Release');
    mkdirSync(release, { recursive: true });
    for (const name of ['gmr.node', libraryOf(next)]) copyFileSync(join(binaries, name), join(release, name));
    writeFileSync(join(release, libraryOf(best!)), 'no library'.repeat(100));
    const report = await examineWith({ GMR_CONV_PREBUILD: join(folder, 'damaged') });
    expect(report.ok).to.equal(false);
    expect(find(report, best!)).to.include({ status: 'failed' });
    expect(find(report, best!)!.detail).to.include('invalid ELF header');
    expect(find(report, next)).to.include({ status: 'works' });
    expect(find(report, 'cuda')).to.include({ status: 'unavailable' });
    expect(find(report, 'cuda')!.detail).to.include('this build has none');
    writeFileSync(join(release, 'libgmr_cuda.so'), 'no library'.repeat(100));
    const broken = find(await examineWith({ GMR_CONV_PREBUILD: join(folder, 'damaged') }), 'cuda');
    expect(broken).to.include({ status: 'failed' });
    expect(broken!.detail).to.match(/beside gmr\.node to load: .*invalid ELF header/);
    expect(report.cpuLevel).to.deep.equal({ name: next, reason: 'the best of those that load' });
    const body = `process.on('warning', ({ name, code, message }) => console.log(name, code, message));
      for (let i = 0; i < 2; ++i) console.log(gmr.Device.open('cpu').level);`;
    const { stdout, stderr } = await runChild(body, { GMR_CONV_PREBUILD: join(folder, 'damaged') });
    const warning = `GmrWarning backend_broken [device] expected better CPU libraries than that of ${next} to load, which is used instead:`;
    const [first, second, told, reason] = stdout.split('\n');
    expect([first, second, told], stderr).to.deep.equal([next, next, warning]);
    expect(reason).to.match(/^ {2}libgmr_cpu_v\d\.so: .*invalid ELF header$/);
  });

  it('a CPU library that is not there: the level that is taken, and that the processor supports a better one', async () => {
    const [best, next] = usableCpuLevels();
    if (next === undefined) return; // one level, as on arm64: there is none to take
    const { path: _, ...environment } = forge(libraryOf(best!));
    const report = await examineWith(environment);
    const reason = `the best that this build has; the processor supports ${best}`;
    expect(report.cpuLevel).to.deep.equal({ name: next, reason });
    expect(find(report, best!)).to.include({ status: 'unavailable' });
    expect(formatReport(report)).to.match(/^All that this build has for this machine works\.$/m);
  });

  it('a CPU library that is cut off: its path and sizes, the others work, and an application takes the next', async () => {
    const [best, ...others] = usableCpuLevels();
    const { path, ...environment } = forge(libraryOf(best!), half);
    const report = await examineWith(environment);
    expect(find(report, best!)).to.include({ status: 'failed' });
    const reason = `${path}: expected at least \\d+ bytes, received ${statSync(path).size}: the file is cut off`;
    expect(find(report, best!)!.detail).to.match(new RegExp(`^${basename(path)}: ${reason}$`));
    for (const level of others) expect(find(report, level), level).to.include({ status: 'works' });
    const forced = await examineWith({ ...environment, GMR_CPU_LEVEL: best! });
    expect(find(forced, best!)!.detail).to.include('GMR_CPU_LEVEL asks for it').and.to.match(new RegExp(reason));
    const { stdout, stderr } = await runChild(`console.log(gmr.Device.open('cpu').level)`, environment);
    if (others.length === 0) return; // one level, as on arm64: nothing is left to work
    expect(stdout, stderr).to.equal(`${others[0]}\n`);
    expect(stderr).to.match(new RegExp(`\\[backend_broken\\] GmrWarning: .*${reason}`, 's'));
  });

  it('a CUDA library that is cut off: its path and sizes', async () => {
    const { path, ...environment } = forge('gmr.node', (bytes) => bytes);
    const cuda = join(dirname(path), 'libgmr_cuda.so');
    writeFileSync(cuda, half(readFileSync(join(dirname(path), libraryOf(usableCpuLevels()[0]!)))));
    const report = await examineWith(environment);
    expect(find(report, 'cuda')).to.include({ status: 'failed' });
    expect(find(report, 'cuda')!.detail).to.match(
      new RegExp(`to load: ${cuda}: expected at least \\d+ bytes, received`),
    );
  });

  it('an addon that is cut off: its path and sizes', async () => {
    const { path, ...environment } = forge('gmr.node', half);
    const report = await examineWith(environment);
    expect(report).to.deep.include({ ok: false, backends: [] });
    expect(report.addon.problem).to.match(
      new RegExp(
        `^\\[gmr\\] expected ${path} to load: expected at least \\d+ bytes, received ${statSync(path).size}: the file is cut off\\.`,
      ),
    );
  });

  it('a CPU library that takes the process down as it loads is named, and the others are tried', async () => {
    const [best, ...others] = usableCpuLevels();
    const { path, ...environment } = forge(libraryOf(best!), halfOfZeros);
    const report = await examineWith(environment);
    expect(report).to.include({ ok: false, defaultDevice: null });
    expect(find(report, best!)).to.include({ status: 'failed' });
    expect(find(report, best!)!.detail).to.include(`${path}: the process that tried it ended with `);
    for (const level of others) expect(find(report, level), level).to.include({ status: 'works' });
    expect(find(report, 'cuda')).to.include({ status: 'unavailable' });
  });

  it('an addon that takes the process down is named, and no backend blamed', async () => {
    const { path, ...environment } = forge('gmr.node', halfOfZeros);
    const report = await examineWith(environment);
    expect(report).to.deep.include({ ok: false, backends: [] });
    expect(report.addon.problem).to.include(`${path}: the process that tried it ended with `);
  });

  it('a level that takes the process down has failed and is no default; the others are tried', async () => {
    const [best, ...others] = usableCpuLevels();
    const report = await examineWith(crashAt(best!));
    expect(report).to.include({ ok: false, defaultDevice: null });
    expect(find(report, best!)!.detail).to.include('the process that tried it ended with SIGSEGV');
    for (const level of others) expect(find(report, level), level).to.include({ status: 'works' });
    expect(report.backends.filter(({ kind }) => kind === 'cpu')).to.have.length(4);
  });

  it('a process that may start no others: that is the reason, in the report', async () => {
    const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
    const { code, output } = await runCli(['doctor', '--json'], {
      NODE_OPTIONS: `${flag} --allow-fs-read=*`,
      NODE_NO_WARNINGS: '1',
    });
    expect(code, output).to.equal(1);
    const { ok, backends } = JSON.parse(output) as DoctorReport;
    expect(ok).to.equal(false);
    for (const { name, detail } of backends) {
      expect(detail, name).to.include('a process to try it in could not be started: ');
    }
  });

  it('no addon: exit code 1, and how to build one; JSON says the same', async () => {
    const environment = { GMR_CONV_PREBUILD: join(folder, 'empty') };
    const text = await runCli(['doctor'], environment);
    expect(text.code).to.equal(1);
    expect(text.output).to.match(/^addon +none$/m);
    expect(text.output).to.match(/^ +npm run build$/m);
    const json = await runCli(['doctor', '--json'], environment);
    const report = JSON.parse(json.output) as DoctorReport;
    expect(json.code).to.equal(1);
    expect(report).to.deep.include({ ok: false, backends: [], cpuLevel: null, defaultDevice: null });
    expect(report.addon.problem).to.include('[gmr] expected a native binary');
  });

  it('prints JSON, and help', async () => {
    const json = await runCli(['doctor', '--json']);
    expect(json.code, json.output).to.equal(0);
    expect((JSON.parse(json.output) as DoctorReport).ok).to.equal(true);
    const help = await runCli(['--help']);
    expect(help.code).to.equal(0);
    expect(help.output).to.match(/^Usage: gmr doctor \[--json\]/);
  });

  for (const flag of ['--version', '-v']) {
    it(`prints the package's version for ${flag}`, async () => {
      const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
      expect(await runCli([flag])).to.deep.equal({ code: 0, output: `${version}\n` });
    });
  }

  for (const args of [[], ['heal'], ['doctor', 'doctor'], ['doctor', '--colour']]) {
    it(`refuses "gmr ${args.join(' ')}" with exit code 2 and the usage`, async () => {
      const { code, output } = await runCli(args);
      expect(code).to.equal(2);
      expect(output).to.include('Usage: gmr doctor');
    });
  }
});

describe('doctor on GPUs', function () {
  before(function () {
    if (cudaSim === undefined) this.skip();
    mkdirSync(folder, { recursive: true });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('tests every GPU', async () => {
    const report = await examineWith({ ...quiet, GMR_CUDA_SIM_DEVICES: '2' }, 'cuda_sim');
    expect(report.ok, formatReport(report)).to.equal(true);
    for (const name of ['cuda_sim:0', 'cuda_sim:1']) expect(find(report, name)).to.include({ status: 'works' });
    expect(report.defaultDevice).to.equal('cuda_sim:0');
    expect(find(report, 'cuda_sim:0')!.build).to.match(/nvcc \d+\.\d+/);
  });

  const reasons: Record<string, { environment: Record<string, string>; detail: RegExp; name?: string }> = {
    'no driver': { environment: { GMR_CUDA_SIM_DRIVER: '0' }, detail: /expected an NVIDIA driver/ },
    'no GPU': { environment: { GMR_CUDA_SIM_DEVICES: '0' }, detail: /the driver shows none/ },
    'an architecture without kernels': {
      environment: { GMR_CUDA_SIM_ARCH: '70' },
      detail: /\(compute capability 7\.0\) to be of compute capability 7\.5 or newer/,
      name: 'cuda_sim:0',
    },
  };
  for (const [title, { environment, detail, name }] of Object.entries(reasons)) {
    it(`${title} is a reason, no failure`, async () => {
      const report = await examineWith({ ...quiet, ...environment }, 'cuda_sim');
      expect(find(report, name ?? 'cuda_sim')).to.include({ status: 'unavailable' });
      expect(find(report, name ?? 'cuda_sim')!.detail).to.match(detail);
      expect(report).to.include({ ok: true, defaultDevice: 'cpu' });
    });
  }

  it('a GPU that fails has failed', async () => {
    const fail = `cudaLaunchKernel:1:${cudaError.launchFailure}`;
    const report = await examineWith({ ...quiet, GMR_CUDA_SIM_FAIL: fail }, 'cuda_sim');
    expect(report.ok).to.equal(false);
    expect(find(report, 'cuda_sim:0')).to.include({ status: 'failed' });
    expect(find(report, 'cuda_sim:0')!.detail).to.include('cudaErrorLaunchFailure');
  });

  it('what a preloaded module prints is no part of what was found', async () => {
    const noisy = join(folder, 'noisy.cjs');
    writeFileSync(noisy, "console.log('hello'); console.error('hello');");
    const report = await examineWith({ ...quiet, NODE_OPTIONS: `--require ${noisy}` });
    expect(report.ok, formatReport(report)).to.equal(true);
  });

  it('a GPU with wrong values has failed, and is not the default', async () => {
    const report = await examineWith({ ...quiet, GMR_CUDA_SIM_FAIL: 'cudaLaunchKernel:0:0' }, 'cuda_sim');
    expect(report).to.include({ ok: false, defaultDevice: 'cpu' });
    expect(find(report, 'cuda_sim:0')).to.include({ status: 'failed' });
    expect(formatReport(report)).to.match(
      /FAILED cuda_sim:0 .*self-check, a small ring convolution, but its values differ/,
    );
  });

  it('a driver that takes the process down takes only the one that tries it, and the next GPU is tried', async () => {
    const environment = { ...quiet, ...crashAt('cuda_sim:0'), GMR_CUDA_SIM_DEVICES: '2' };
    const report = await examineWith(environment, 'cuda_sim');
    expect(report).to.include({ ok: false, defaultDevice: 'cpu' });
    expect(find(report, 'cuda_sim:1')).to.include({ status: 'works' });
    expect(report.backends.filter(({ kind }) => kind === 'cpu').some(({ status }) => status === 'works')).to.equal(
      true,
    );
    expect(find(report, 'cuda_sim:0')).to.include({ status: 'failed' });
    expect(find(report, 'cuda_sim:0')!.detail).to.include('the process that tried it ended with SIGSEGV');
  });
});
