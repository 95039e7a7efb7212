// npm run pack:check: builds the package as it would be published, and uses it as those do who install it: without install
// scripts, and with no program on PATH but node.
//   --release      all that is published: linux-arm64 too, run on an emulator, and the CUDA library for all GPUs
//   --no-build     takes prebuilds/ as it is
//   --from-source  also builds the installed package from its sources, as its error message says; takes minutes
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { arm64Node } from './arm64.mjs';
import { makePrebuilds } from './prebuilds.mjs';
import { installPackages, root, runMain, step, StepFailed } from './steps.mjs';

const budgetBytes = 15e6;
const importBudgetMs = 60;
const folder = join(root, 'prebuilds', 'linux-x64');
const sysroot = join(root, 'build-prebuilds', 'sysroot-x64');
const binaries = ['gmr.glibc.node', 'libgmr_cpu_v2.so', 'libgmr_cpu_v3.so', 'libgmr_cpu_v4.so'].map(
  (name) => `prebuilds/linux-x64/${name}`,
);
const releaseBinaries = [
  'prebuilds/linux-x64/libgmr_cuda.so',
  'prebuilds/linux-arm64/gmr.glibc.node',
  'prebuilds/linux-arm64/libgmr_cpu_portable.so',
];
const consumers = join(root, 'scripts', 'consumers');

const built = [
  /^dist\/(index|cli|probe|chunk-[\w-]+)\.js(\.map)?$/,
  /^dist\/[\w/]+\.d\.ts$/,
  /^prebuilds\/linux-(x64|arm64)\/(gmr\.glibc\.node|libgmr_(cpu_(v[234]|portable)|cuda)\.so)$/,
];
const sources = [
  /^(package\.json|(README|CHANGELOG|SECURITY)\.md|LICENSE|binding\.d\.ts|CMakeLists\.txt|tsconfig\.build\.json)$/,
  /^docs\/([\w/-]+\.md|images\/\w+\.(png|svg))$/,
  /^lib\/[\w/]+\.ts$/,
  /^cmake\/\w+\.(cmake|h)$/,
  /^native\/(?!testing)[\w/]+\.(cc|h|cu|cuh|def)$/,
];
const mustShip = [
  ...['index.js', 'index.d.ts', 'cli.js', 'probe.js'].map((name) => `dist/${name}`),
  'binding.d.ts',
  'LICENSE',
  'CHANGELOG.md',
  'SECURITY.md',
];

function expect(condition, message) {
  if (!condition) throw new StepFailed(message);
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(0).padStart(7)} kB`;
}

/** Those that may not be packed: what the build does not make and git does not track, or what is not for those who install. */
export function foreignPaths(paths) {
  const tracked = new Set(execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).split('\n'));
  const isOneOf = (patterns, path) => patterns.some((pattern) => pattern.test(path));
  return paths.filter((path) => !isOneOf(built, path) && !(isOneOf(sources, path) && tracked.has(path)));
}

/** Packs into `target`; resolves to the tarball's path. */
function pack(target, isRelease) {
  const { status, stdout, stderr } = spawnSync(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--pack-destination', target],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  expect(status === 0, `npm pack failed:\n${stderr}`);
  expect(!/warn/i.test(stderr), `npm pack warns:\n${stderr}`);
  const [{ filename, size, unpackedSize, files }] = Object.values(JSON.parse(stdout));
  const parts = new Map();
  for (const { path, size: bytes } of files) {
    const part = path.startsWith('prebuilds/')
      ? path
      : path.includes('/')
        ? `${path.split('/')[0]}/`
        : 'files beside them';
    const [count, plain, packed] = parts.get(part) ?? [0, 0, 0];
    parts.set(part, [count + 1, plain + bytes, packed + gzipSync(readFileSync(join(root, path)), { level: 9 }).length]);
  }
  console.log('  part                                       files   unpacked     packed');
  for (const [part, [count, plain, packed]] of parts) {
    console.log(`  ${part.padEnd(42)} ${String(count).padStart(5)} ${kilobytes(plain)} ${kilobytes(packed)}`);
  }
  console.log(
    `  ${'tarball'.padEnd(42)} ${String(files.length).padStart(5)} ${kilobytes(unpackedSize)} ${kilobytes(size)}`,
  );

  expect(size < budgetBytes, `Expected the tarball to be below ${kilobytes(budgetBytes).trim()}.`);
  const paths = files.map(({ path }) => path);
  const foreign = foreignPaths(paths);
  expect(foreign.length === 0, `Expected these not to be packed: ${foreign.join(', ')}`);
  const wanted = [...mustShip, ...binaries, ...(isRelease ? releaseBinaries : [])];
  const lacking = wanted.filter((path) => !paths.includes(path));
  expect(lacking.length === 0, `Expected these to be packed: ${lacking.join(', ')}`);
  const { scripts, gypfile } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const atInstall = ['preinstall', 'install', 'postinstall', 'prepare', 'prebuild'].filter((name) => name in scripts);
  expect(
    atInstall.length === 0 && gypfile === undefined,
    `Expected no script that npm runs by itself: ${atInstall.join(', ')}`,
  );
  return join(target, filename);
}

/** An application's folder with the package installed in it, and ways to run things there. */
class Consumer {
  constructor(work, name, tarball, type) {
    this.folder = join(work, name);
    this.bin = join(work, 'bin');
    mkdirSync(this.folder);
    writeFileSync(join(this.folder, 'package.json'), JSON.stringify({ name, version: '1.0.0', private: true, type }));
    const npm = process.env.npm_execpath;
    const start = performance.now();
    const output = this.run(
      npm,
      'install',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--no-update-notifier',
      tarball,
    );
    expect(!/warn/i.test(output), `Expected npm install to say nothing, it said:\n${output}`);
    console.log(`  ${name}: installed in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }

  /** What node prints; it must not fail, and says nothing on stderr. */
  run(...args) {
    return this.spawn(process.execPath, args);
  }

  spawn(command, args, path = this.bin) {
    const env = { PATH: path, HOME: this.folder };
    const { status, signal, stdout, stderr } = spawnSync(command, args, { cwd: this.folder, env, encoding: 'utf8' });
    const what = `${[command, ...args].join(' ')} ended with ${status ?? signal}:\n${stdout}${stderr}`;
    expect(status === 0 && stderr === '', what);
    return stdout.trim();
  }

  /** Runs a script of scripts/consumers. */
  use(script) {
    for (const name of new Set(['train.mjs', script])) copyFileSync(join(consumers, name), join(this.folder, name));
    console.log(`  ${script}: ${this.run(script)}`);
  }

  /** Type-checks a file of scripts/consumers, with declarations of libraries as strictly as the rest. */
  checkTypes(script, module) {
    copyFileSync(join(consumers, script), join(this.folder, script));
    const compilerOptions = { module, strict: true, target: 'es2022', skipLibCheck: false, types: [], noEmit: true };
    writeFileSync(join(this.folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [script] }));
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', this.folder], { encoding: 'utf8' });
    expect(status === 0, `${script} (module ${module}):\n${stdout}`);
    console.log(`  ${script}: types hold (module ${module})`);
  }
}

function checkImport(consumer) {
  copyFileSync(join(consumers, 'import_cost.mjs'), join(consumer.folder, 'import_cost.mjs'));
  const runs = Array.from({ length: 9 }, () => JSON.parse(consumer.run('import_cost.mjs')));
  expect(
    runs.every(({ loadedByImport }) => !loadedByImport),
    'Expected the import to load no native code.',
  );
  expect(
    runs.every(({ loadedByUse }) => loadedByUse),
    'Expected the first use to load native code.',
  );
  const times = runs.map(({ milliseconds }) => milliseconds).toSorted((a, b) => a - b);
  const [least, median] = [times[0], times[4]];
  const shown = `${median.toFixed(0)} ms (median of 9, least ${least.toFixed(0)} ms)`;
  console.log(`  import: ${shown}; no native code before the first use`);
  expect(median < importBudgetMs, `Expected the import to take less than ${importBudgetMs} ms.`);
}

/** `npx --no -- gmr doctor`, as a person runs it; npx itself needs a shell. */
function runDoctor(consumer) {
  const npx = join(dirname(process.env.npm_execpath), 'npx-cli.js');
  const shell = join(consumer.folder, '..', 'shell');
  mkdirSync(shell);
  symlinkSync('/bin/sh', join(shell, 'sh'));
  const path = `${consumer.bin}:${shell}`;
  const args = [npx, '--no-update-notifier', '--no', '--', 'gmr', 'doctor'];
  return consumer.spawn(process.execPath, args, path).replaceAll(/^/gm, '    ');
}

/** The same on Debian 11's C and C++ libraries: the loader of the sysroot runs node on them. */
function checkOldSystem(consumer) {
  const folders = ['lib', 'usr/lib'].map((name) => join(sysroot, name, 'x86_64-linux-gnu')).join(':');
  expect(existsSync(sysroot), `Expected ${sysroot}: run it once without --no-build.`);
  const loader = realpathSync(join(sysroot, 'lib64', 'ld-linux-x86-64.so.2'));
  const script = `import * as gmr from 'gmr-conv'; import { train } from './train.mjs';
    console.log('glibc ' + process.report.getReport().header.glibcVersionRuntime + ': ' + (await train(gmr)));`;
  const args = ['--library-path', folders, process.execPath, '--input-type=module', '-e', script];
  console.log(`  old system: ${consumer.spawn(loader, args)}`);
}

/** What the error message tells those to do for whom there is no binary; needs the registry and a compiler. */
async function buildFromSource(consumer) {
  const installed = join(consumer.folder, 'node_modules', 'gmr-conv');
  rmSync(join(installed, 'prebuilds'), { recursive: true });
  const npm = (heading, ...args) => step(heading, 'npm', [...args, '--prefix', installed, '--no-audit', '--no-fund']);
  await npm('  from source: npm install', 'install');
  await npm('  from source: npm run build', 'run', 'build');
  consumer.use('esm.mjs');
}

if (process.argv[1] === import.meta.filename) {
  await runMain(async () => {
    const flag = { type: 'boolean', default: false };
    const { values } = parseArgs({ options: { release: flag, 'no-build': flag, 'from-source': flag } });
    expect(process.arch === 'x64', 'Expected x64: the package is made there.');
    expect(process.env.npm_execpath !== undefined, 'Run it by npm: npm run pack:check.');
    await installPackages('[1/5] Packages');
    if (values['no-build']) {
      expect(existsSync(folder), 'Expected prebuilds/linux-x64, by `npm run prebuilds`.');
      console.log('[2/5] Binaries  as they are');
    } else {
      rmSync(join(root, 'prebuilds'), { recursive: true, force: true });
      await makePrebuilds({ arch: 'x64', quick: !values.release, heading: '[2/5] Binaries' });
      if (values.release) await makePrebuilds({ arch: 'arm64', heading: '[2/5] Binaries for arm64' });
    }
    await step('[3/5] TypeScript', 'npm', ['run', '--silent', 'build:ts']);

    const work = mkdtempSync(join(tmpdir(), 'gmr-pack-'));
    try {
      console.log('[4/5] Package');
      const tarball = pack(work, values.release);
      console.log('[5/5] Consumers');
      mkdirSync(join(work, 'bin'));
      symlinkSync(process.execPath, join(work, 'bin', 'node'));
      const esm = new Consumer(work, 'esm', tarball, 'module');
      for (const script of ['esm.mjs', 'worker.mjs', 'doctor.mjs']) esm.use(script);
      checkImport(esm);
      console.log(runDoctor(esm));
      for (const module of ['nodenext', 'preserve']) esm.checkTypes('types.mts', module);
      checkOldSystem(esm);
      const commonjs = new Consumer(work, 'commonjs', tarball, 'commonjs');
      commonjs.use('commonjs.cjs');
      commonjs.checkTypes('types.cts', 'nodenext');
      if (values.release) {
        // Not doctor: it starts processes of its own, which the emulator does not take over.
        const [command, ...prefix] = arm64Node();
        const onArm64 = (consumer, script) =>
          console.log(`  arm64, ${script}: ${consumer.spawn(command, [...prefix, script], process.env.PATH)}`);
        for (const script of ['esm.mjs', 'worker.mjs']) onArm64(esm, script);
        onArm64(commonjs, 'commonjs.cjs');
      }
      if (values['from-source']) await buildFromSource(esm);
    } finally {
      rmSync(work, { recursive: true });
    }
    console.log('The package holds.');
    return 0;
  });
}
