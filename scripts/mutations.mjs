// npm run test:mutations: whether the tests on the interpreter would notice. Takes each barrier, wait, end of a group and
// guard of the CUDA kernels out in turn, in a copy of the sources, and demands that the suites of the ops with it fail.
// Lines that change no kernel of sm_80 do not count: those of the host, and of older GPUs alone. What survives must be in
// the table of docs/cuda-sim.md, with the reason. Arguments: parts of file names, to do only those.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { buildNative, compileTypeScript, installPackages, root, run, runMain, StepFailed } from './steps.mjs';

const home = join(root, 'build-mutations'); // node-gyp-build looks for build/Release below it
const source = join(home, 'source');
const build = join(home, 'build');
const release = join('build', 'Release');
const report = join(home, 'cases'); // a JSON object a line: see mutations_cases.mjs

/** Of a regular expression: what `if` asks, with its parentheses, four deep at most. */
const conditionPattern = [1, 2, 3, 4].reduce((inner) => String.raw`\((?:[^()]|${inner})*\)`, '[]');

/** Each kind: what it looks for in a line of device code, and the line without it. */
const kinds = [
  { name: 'barrier', pattern: /\b__sync(threads|warp)\([^)]*\);/, mutate: (line, [found]) => line.replace(found, ';') },
  { name: 'wait', pattern: /^\s*[\w:]*wait\w*(<[^>]*>)?\([^;]*\);/, mutate: () => ';' },
  { name: 'end of a group', pattern: /\bfinish_group\(\);/, mutate: (line, [found]) => line.replace(found, ';') },
  {
    name: 'guard',
    pattern: new RegExp(String.raw`\bif (${conditionPattern}) (continue|return|break);`),
    mutate: (line, [found, condition, jump]) => line.replace(found, `if (${condition} && false) ${jump};`),
  },
  {
    name: 'guarded read',
    pattern: / \? [^:]*\[[^:]*\][^:]* : (0|\w+\{0\});/,
    mutate: (line, [found]) => line.replace(found, ` || true${found}`),
  },
  {
    name: 'guarded statement',
    pattern: new RegExp(String.raw`\bif (${conditionPattern}) (?!(?:continue|return|break);)([^;{}]*;)`),
    mutate: (line, [found, condition, statement]) => line.replace(found, `if (${condition} || true) ${statement}`),
  },
  {
    name: 'size of a copy',
    pattern: /\bbytes = .* \? (.*) : 0;/,
    mutate: (line, [found, bytes]) => line.replace(found, `bytes = ${bytes};`),
  },
  {
    name: 'guarded copy',
    pattern: /(\bcopy_or_zero(?:_at<[^;]*>)?\(.*), (?!true\b)([^,]+)\);/,
    mutate: (line, [found, start, condition]) => line.replace(found, `${start}, (${condition}) || true);`),
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
  rmSync(home, { recursive: true, force: true });
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

/** What nvcc compiled for the copy: `{ file, object, line }`, the last for the shell. */
function readObjects() {
  const commands = JSON.parse(readFileSync(join(build, 'compile_commands.json'), 'utf8'));
  return commands
    .filter(({ file }) => file.endsWith('.cu'))
    .map(({ file, command: line }) => ({
      file: relative(source, file),
      object: join(build, / -o (\S+)/.exec(line)[1]),
      line,
    }));
}

/** Whether a file is, or includes, directly or by way of others, another one. Both are paths below native/. */
function includes(file, other) {
  if (file === other) return true;
  const path = join(source, file);
  if (!existsSync(path)) return false; // made by CMake
  const headers = [...readFileSync(path, 'utf8').matchAll(/^#include "(.*)"/gm)].map(([, name]) =>
    join('native', name),
  );
  return headers.some((header) => includes(header, other));
}

/** Without what stands in nvcc's names for the command that it was called with. */
const comparable = (text) => text.replaceAll(/_GLOBAL__N__[\da-f]{8}_/g, '_GLOBAL__N__');

/** The PTX of each kernel in an object, by its mangled name, without lines of source. */
function kernelsOf(object) {
  const ptx = comparable(readFileSync(object, 'latin1'));
  if (/^(\.\w+ )*\.func\b/m.test(ptx)) throw new StepFailed(`Expected all functions of ${object} to be inlined.`);
  const parts = ptx.split(/^(?:\.visible )?\.entry /m);
  return new Map(
    parts
      .slice(1)
      .map((part) => [/^\w+/.exec(part)[0], part.slice(0, part.indexOf('\n}\n')).replaceAll(/^\s*\.loc\s.*$/gm, '')]),
  );
}

/** All cases that ran without a mutation, as mutations_cases.mjs notes them. */
const cases = [];

/** Runs cases of these files, to the first failure. */
async function runCases(files, pattern) {
  rmSync(report, { force: true });
  const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js');
  const options = ['--no-config', '--bail', '--timeout', '60000', '--require', 'scripts/mutations_cases.mjs'];
  const { code, output } = await run(process.execPath, [mocha, ...options, '--grep', pattern, ...files]);
  const lines = existsSync(report) ? comparable(readFileSync(report, 'utf8')).trim().split('\n') : [];
  if (code === 0 && lines.length === 0) throw new StepFailed(`no test ran:\n${output.slice(-3000)}`);
  return { passed: code === 0, noted: lines.map((line) => JSON.parse(line)), output };
}

/** What notices an op's kernels. */
function suitesOf(op) {
  const names = [`ops/${op}`, 'ops/special_values', 'cuda/device'];
  if (op === 'conv' || op === 'ring_conv') names.push('ops/float32_precision', 'nn/fused_evaluation');
  // Tiles that the op's cases are too small for.
  if (op === 'ring_conv') names.push('cuda/ring_rows', 'cuda/ring_strips', 'cuda/ring_shells');
  return names.map((name) => join('build-ts', 'test', `${name}.test.js`));
}

/** Titles of what runs kernels. */
const isOfKernels = 'cuda_sim|^special values|after a target out of range|in whole rows|in strips|by shells';

/** Runs the suites of these ops, those that have not run yet, without any mutation, and notes their cases. */
async function noteCases(ops) {
  const known = new Set(cases.map(({ file }) => file));
  const files = [...new Set(ops.flatMap(suitesOf))].filter((file) => !known.has(file));
  if (files.length === 0) return;
  await link();
  const { passed, noted, output } = await runCases(files, isOfKernels);
  if (!passed) throw new StepFailed(`The suites fail without any mutation:\n${output.slice(-3000)}`);
  cases.push(...noted);
}

/** How many mutations were found, by the title of the case that found them, and by the object. */
const found = new Map();
const timesFound = (name) => found.get(name) ?? 0;

const firstRunMs = 10_000; // a few starts of Node

/** Whether these cases pass. Those that found something before, and short ones, come first, as most find more. */
async function pass(chosen) {
  const value = ({ title, ms }) => (timesFound(title) + 1) / (ms + 100);
  const sorted = chosen.toSorted((a, b) => value(b) - value(a));
  let [first, time] = [0, 0];
  while (first < sorted.length && time < firstRunMs) time += sorted[first++].ms;
  for (const part of [sorted.slice(0, first), sorted.slice(first)]) {
    if (part.length === 0) continue;
    const titles = part.map(({ title }) => title.replaceAll(/[^\w ]/g, String.raw`\$&`));
    const files = new Set(part.map(({ file }) => file));
    const { passed, noted } = await runCases([...files], `^(${titles.join('|')})$`);
    if (passed) continue;
    for (const { title } of noted.filter(({ failed }) => failed)) found.set(title, timesFound(title) + 1);
    return false;
  }
  return true;
}

const kept = (path) => `${path}.original`;

async function link() {
  rmSync(join(build, 'Release', 'libgmr_cuda_sim.so'), { force: true });
  await command('the link', 'cmake', ['--build', build, '--target', 'gmr_cuda_sim']);
}

/** Replaces an object by what comes of it where `file` has another text. The original is kept beside it. */
async function compile({ object, line }, file, text) {
  const path = join(source, file);
  renameSync(path, kept(path));
  renameSync(object, kept(object));
  writeFileSync(path, text);
  await command('the build of a mutation', 'sh', ['-c', `cd ${build} && ${line}`]);
  renameSync(kept(path), path);
  // Ninja would build again what is newer than it left it.
  const time = statSync(kept(object)).mtimeMs / 1000 - 0.001;
  utimesSync(object, time, time);
}

/** What comes of a mutation: 'found', 'survives' or 'changes no kernel'. One object after the other gets it, as the first is often enough. */
async function outcomeOf({ file, changed }, objects) {
  const ops = new Set(objects.map((each) => /^native.ops.(\w+)/.exec(each.file)?.[1]));
  await noteCases(ops.has(undefined) ? allOps : [...ops]);
  let outcome = 'changes no kernel';
  for (const each of objects.toSorted((a, b) => timesFound(b.object) - timesFound(a.object))) {
    await compile(each, file, changed);
    const before = kernelsOf(kept(each.object));
    const others = [...kernelsOf(each.object)].filter(([name, ptx]) => ptx !== before.get(name)).map(([name]) => name);
    if (others.length === 0) continue;
    outcome = 'survives';
    await link();
    if (await pass(cases.filter(({ kernels }) => kernels.some((name) => others.includes(name))))) continue;
    found.set(each.object, timesFound(each.object) + 1);
    return 'found';
  }
  return outcome;
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
  Object.assign(process.env, { GMR_CONV_PREBUILD: home, GMR_CUDA_SIM_QUIET: '1', GMR_MUTATIONS_CASES: report });

  console.log('[5/5] Mutations');
  const mutations = files.flatMap(mutationsOf);
  const known = knownSurvivors();
  const isKnown = ({ file, text }) => known.some((row) => row.file === file && row.text === text);
  const wrong = [];
  const show = (mutation, outcome, start) => {
    const isKnownSurvivor = isKnown(mutation);
    const right = isKnownSurvivor === (outcome === 'survives');
    if (!right) wrong.push(mutation);
    const what = right
      ? `${outcome}${isKnownSurvivor ? ', as known' : ''}`
      : `WRONG: ${outcome}${isKnownSurvivor ? ', though known to survive' : ''}`;
    const seconds = Math.round((performance.now() - start) / 1000);
    console.log(`  ${what}: ${mutation.name} ${mutation.file}:${mutation.number}  ${mutation.text}  (${seconds} s)`);
  };
  const objects = readObjects();
  let counted = 0;
  for (const mutation of mutations) {
    const start = performance.now();
    const concerned = objects.filter(({ file }) => includes(file, mutation.file));
    const outcome = await outcomeOf(mutation, concerned);
    if (outcome !== 'changes no kernel') ++counted;
    show(mutation, outcome, start);
    for (const { object } of concerned) if (existsSync(kept(object))) renameSync(kept(object), object);
  }
  const isMutation = (row) => mutations.some(({ file, text }) => row.file === file && row.text === text);
  for (const row of parts.length === 0 ? known.filter((row) => !isMutation(row)) : []) {
    wrong.push(row);
    console.log(`  no longer there, though known to survive: ${row.file}  ${row.text}`);
  }
  console.log(`${counted} mutations of kernels, ${wrong.length} rows not as docs/cuda-sim.md has it`);
  return wrong.length === 0 ? 0 : 1;
});
