// npm run test:mutations: whether the tests on the interpreter would notice. Takes each barrier, wait and bounds guard
// of the CUDA kernels out in turn, in a copy of the sources, and demands that the suites of the ops with it fail. What
// survives must be in the table of docs/cuda-sim.md, with the reason. Arguments: parts of file names, to do only those.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative, compileTypeScript, installPackages, root, run, runMain, StepFailed } from './steps.mjs';

const home = join(root, 'build-mutations'); // node-gyp-build looks for build/Release below it
const source = join(home, 'source');
const build = join(home, 'build');
const release = join('build', 'Release');
const report = join(home, 'mocha.json');

/** Each kind: what it looks for in a line of device code, and the line without it. */
const kinds = [
  { name: 'barrier', pattern: /\b__sync(threads|warp)\([^)]*\);/, mutate: (line, [found]) => line.replace(found, ';') },
  { name: 'wait', pattern: /^\s*[\w:]*wait\w*(<[^>]*>)?\([^;]*\);/, mutate: () => ';' },
  { name: 'end of a group', pattern: /\bfinish_group\(\);/, mutate: (line, [found]) => line.replace(found, ';') },
  {
    name: 'guard',
    pattern: /\bif \((.*)\) (continue|return|break);/,
    mutate: (line, [found, condition, jump]) => line.replace(found, `if ((${condition}) && false) ${jump};`),
  },
  {
    name: 'guarded read',
    pattern: / \? [^:]*\[[^:]*\][^:]* : (0|\w+\{0\});/,
    mutate: (line, [found]) => line.replace(found, ` || true${found}`),
  },
  {
    name: 'guarded write',
    pattern: /\bif \((.*)\) (\w+\[[^;]*\] = [^;]*;)/,
    mutate: (line, [found, condition, write]) => line.replace(found, `if ((${condition}) || true) ${write}`),
  },
  {
    name: 'guarded copy',
    pattern: /\bcopy_or_zero\((.*), (?!true\b)([^,]+)\);/,
    mutate: (line, [found, places, condition]) =>
      line.replace(found, `copy_or_zero(${places}, (${condition}) || true);`),
  },
];

/** Of a file under native/: what comes behind "// launchers" runs on the host, and is left alone. */
function mutationsOf(file) {
  const lines = readFileSync(join(root, file), 'utf8').split('\n');
  const host = lines.findIndex((line) => line.startsWith('// launchers'));
  const mutations = lines.flatMap((line, i) => {
    if (line.trimStart().startsWith('//') || (host >= 0 && i > host)) return [];
    return kinds.flatMap(({ name, pattern, mutate }) => {
      const found = pattern.exec(line);
      if (found === null) return [];
      const changed = lines.with(i, mutate(line, found)).join('\n');
      return [{ file, number: i + 1, name, text: line.trim(), changed }];
    });
  });
  // Lines with the same text are told apart by a number: "__syncthreads(); #2".
  return mutations.map((mutation, i) => {
    const isSame = ({ text }) => text === mutation.text;
    if (mutations.filter(isSame).length === 1) return mutation;
    return { ...mutation, text: `${mutation.text} #${mutations.slice(0, i + 1).filter(isSame).length}` };
  });
}

/** `{ file, text }` of the rows in docs/cuda-sim.md, where a pipe within a cell is escaped. */
function knownSurvivors() {
  const text = readFileSync(join(root, 'docs', 'cuda-sim.md'), 'utf8');
  return [...text.matchAll(/^\| `(native\/[^`]+)` +\| `(.+?)` +\| /gm)].map(([, file, code]) => ({
    file,
    text: code.replaceAll('\\|', '|'),
  }));
}

async function command(what, name, args) {
  const { code, output } = await run(name, args);
  if (code !== 0) throw new StepFailed(`${what} ended with code ${code}:\n${output.slice(-3000)}`);
  return output;
}

/** A copy of the sources whose kernels are built as PTX alone, beside copies of the other libraries. */
async function prepare() {
  rmSync(source, { recursive: true, force: true });
  mkdirSync(source, { recursive: true });
  for (const name of ['native', 'cmake', 'bench/native', 'CMakeLists.txt', 'package.json']) {
    cpSync(join(root, name), join(source, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(source, 'node_modules'));
  // For sm_80 alone, which the suites run: there copies are asynchronous.
  const architectures = ['GMR_CUDA_ARCHITECTURES=80-virtual', 'GMR_CUDA_SIM_ARCHITECTURES=80-virtual'];
  const options = ['GMR_BENCH=OFF', ...architectures, 'CMAKE_CUDA_FLAGS=-w'];
  await command('the build of the copy', join('node_modules', '.bin', 'cmake-js'), [
    'compile',
    '--parallel',
    '2',
    '--directory',
    source,
    '--out',
    build,
    '--target',
    'gmr_cuda_sim',
    ...options.map((option) => `--CD${option}`),
  ]);
  for (const name of readdirSync(join(root, release))) {
    if (name === 'gmr.node' || name.startsWith('libgmr_cpu') || name === 'testing') {
      cpSync(join(root, release, name), join(home, release, name), { recursive: true });
    }
  }
}

const allOps = readdirSync(join(root, 'native', 'ops'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** Builds the copy as it is; resolves to the ops whose kernels were compiled anew, all where other kernels were. */
async function rebuild() {
  const output = await command('the build of a mutation', 'cmake', ['--build', build, '--target', 'gmr_cuda_sim']);
  const objects = [...output.matchAll(/Building CUDA object \S*?native\/(\S+)\.cu\.o/g)].map(([, path]) => path);
  const ops = new Set(objects.map((path) => /^ops\/(\w+)\//.exec(path)?.[1]));
  return ops.has(undefined) ? allOps : [...ops].toSorted((a, b) => a.localeCompare(b));
}

/** Runs those cases of these ops' suites that match `pattern`, to the first failure; resolves to its title, if any. */
async function firstFailure(ops, pattern) {
  const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js');
  const tests = ops.map((op) => join('build-ts', 'test', 'ops', `${op}.test.js`));
  // Beside the ops' own: what a target out of range must leave alone, and tiles that their cases are too small for.
  tests.push(join('build-ts', 'test', 'cuda', 'device.test.js'));
  const ringTiles = ops.includes('ring_conv') ? ['ring_rows', 'ring_strips'] : [];
  tests.push(...ringTiles.map((name) => join('build-ts', 'test', 'cuda', `${name}.test.js`)));
  const options = ['--no-config', '--bail', '--timeout', '60000', '--grep', pattern];
  rmSync(report, { force: true });
  const reporter = ['--reporter', 'json', '--reporter-option', `output=${report}`];
  const { output } = await run(process.execPath, [mocha, ...options, ...reporter, ...tests]);
  if (!existsSync(report)) throw new StepFailed(`the suites did not run:\n${output.slice(-3000)}`);
  const { stats, failures } = JSON.parse(readFileSync(report, 'utf8'));
  if (stats.passes + stats.failures === 0) throw new StepFailed(`no test ran for ${ops.join(', ')}`);
  return failures[0]?.fullTitle;
}

/** By what was compiled anew: the cases that found something before. They are tried first, as most find more. */
const finders = new Map();

/** Whether the suites of these ops pass on the interpreter. */
async function suitesPass(ops) {
  const key = ops.join();
  const known = finders.get(key) ?? [];
  const pattern = known.map((title) => `^${title.replaceAll(/[^\w ]/g, String.raw`\$&`)}$`).join('|');
  if (known.length > 0 && (await firstFailure(ops, pattern)) !== undefined) return false;
  const title = await firstFailure(ops, 'cuda_sim|after a target out of range|in whole rows|in strips');
  if (title !== undefined) finders.set(key, [title, ...known]);
  return title === undefined;
}

await runMain(async () => {
  const parts = process.argv.slice(2);
  const files = readdirSync(join(root, 'native'), { recursive: true })
    .filter((name) => /\.(cu|cuh)$/.test(name) && !name.startsWith('testing'))
    .map((name) => join('native', name))
    .filter((name) => parts.length === 0 || parts.some((part) => name.includes(part)))
    .toSorted();
  if (files.length === 0) throw new StepFailed(`No kernel's file has ${parts.join(' or ')} in its name.`, 2);
  await installPackages('[1/5] Packages');
  await buildNative('[2/5] Native code');
  if (!existsSync(join(root, release, 'libgmr_cuda_sim.so'))) {
    console.log('There was no nvcc when native code was built, so there is nothing to mutate.');
    return 0;
  }
  await compileTypeScript('[3/5] TypeScript');
  console.log('[4/5] A copy of the kernels');
  await prepare();
  Object.assign(process.env, { GMR_CONV_PREBUILD: home, GMR_CUDA_SIM_QUIET: '1' });

  console.log('[5/5] Mutations');
  const mutations = files.flatMap(mutationsOf);
  const known = knownSurvivors();
  const isKnown = ({ file, text }) => known.some((row) => row.file === file && row.text === text);
  const wrong = [];
  const sound = new Set(); // ops whose suites pass without any mutation
  const show = (mutation, survives, start) => {
    const right = survives === isKnown(mutation);
    if (!right) wrong.push(mutation);
    const outcome = survives
      ? `SURVIVES${right ? ', as known' : ''}`
      : `found${right ? '' : ', though known to survive'}`;
    const seconds = Math.round((performance.now() - start) / 1000);
    console.log(`  ${outcome}: ${mutation.name} ${mutation.file}:${mutation.number}  ${mutation.text}  (${seconds} s)`);
  };
  for (const file of new Set(mutations.map((mutation) => mutation.file))) {
    const path = join(source, file);
    const original = readFileSync(join(root, file), 'utf8');
    writeFileSync(path, original);
    const ops = await rebuild();
    const untried = ops.filter((op) => !sound.has(op));
    if (untried.length > 0 && !(await suitesPass(untried))) {
      throw new StepFailed(`The suites of ${untried.join(', ')} fail without any mutation.`);
    }
    for (const op of untried) sound.add(op);
    for (const mutation of mutations.filter((each) => each.file === file)) {
      const start = performance.now();
      writeFileSync(path, mutation.changed);
      await rebuild();
      show(mutation, await suitesPass(ops), start);
    }
    writeFileSync(path, original);
    await rebuild();
  }
  const isMutation = (row) => mutations.some(({ file, text }) => row.file === file && row.text === text);
  for (const row of parts.length === 0 ? known.filter((row) => !isMutation(row)) : []) {
    wrong.push(row);
    console.log(`  no longer there, though known to survive: ${row.file}  ${row.text}`);
  }
  console.log(`${mutations.length} mutations, ${wrong.length} rows not as docs/cuda-sim.md has it`);
  return wrong.length === 0 ? 0 : 1;
});
