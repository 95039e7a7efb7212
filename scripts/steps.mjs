// The steps that npm test, npm run demo and npm run bench share: packages, native code, TypeScript; how a step is shown
// and how it fails.
// Needs Node alone: it runs before there are any packages.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tailLines = 25;
const interrupted = 128 + constants.signals.SIGINT;
const terminal = process.stdout.isTTY === true;

export class StepFailed extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

let child;
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM']) {
  // The child decides: it stops cleanly and its exit code is ours. A terminal sends Ctrl-C to the child itself as well.
  process.on(signal, () => {
    stopping = true;
    child?.kill(signal);
  });
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/**
 * Runs a command; resolves to its exit code, and all that it printed unless it shares our terminal. Rejects where we are stopped: of a
 * command on our terminal only the next one, since it has told its own end.
 */
export function run(command, args, { inherit = false, onOutput = () => {} } = {}) {
  return new Promise((resolve, reject) => {
    if (stopping) throw new StepFailed('stopped', interrupted);
    child = spawn(command, args, { cwd: root, stdio: inherit ? 'inherit' : ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk) => {
      output += chunk;
      onOutput(output);
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      child = undefined;
      if (stopping && !inherit) reject(new StepFailed('stopped', interrupted));
      else resolve({ code: code ?? 128 + constants.signals[signal], output });
    });
  });
}

function lastLines(output, count) {
  return output
    .split('\n')
    .map((line) => line.trimEnd())
    .filter(Boolean)
    .slice(-count);
}

/** Runs a command under a heading; on a terminal the newest line of its output is shown while it runs. Resolves to all of it. */
export async function step(heading, command, args, hint = '') {
  const start = performance.now();
  let newest = '';
  const draw = () => {
    const room = (process.stdout.columns ?? 80) - heading.length - 14;
    const detail = room > 10 ? newest.slice(0, room) : '';
    process.stdout.write(`\r\x1b[K${heading} ${seconds(start)}  ${detail}`);
  };
  const timer = terminal ? setInterval(draw, 200) : undefined;
  if (!terminal) console.log(`${heading} ...`);
  let result;
  try {
    result = await run(command, args, { onOutput: (output) => ([newest = ''] = lastLines(output.slice(-2000), 1)) });
  } catch (error) {
    if (error instanceof StepFailed) throw error;
    result = { code: 1, output: error.message };
  } finally {
    clearInterval(timer);
    if (terminal) process.stdout.write('\r\x1b[K');
  }
  if (result.code !== 0) {
    const lines = lastLines(result.output, tailLines).map((line) => `    ${line}`);
    throw new StepFailed(
      `${heading} failed: \`${command} ${args.join(' ')}\` ended with code ${result.code}.` +
        `${hint && ` ${hint}`}\nIts last lines:\n\n${lines.join('\n')}`,
    );
  }
  console.log(`${terminal ? heading : '  done'}  ${seconds(start)}`);
  return result.output;
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

/** Whether node_modules holds what package-lock.json asks for; npm keeps its own account of what it installed. */
function packagesAreCurrent() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages ?? {};
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages ?? {};
  return Object.entries(wanted).every(
    ([path, { version, optional, link }]) =>
      path === '' || optional === true || link === true || installed[path]?.version === version,
  );
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const { engines } = readJson(join(root, 'package.json'));
  const [, least, leastMinor] = /(\d+)\.(\d+)/.exec(engines.node).map(Number);
  if (major < least || (major === least && minor < leastMinor)) {
    throw new StepFailed(`This needs Node ${engines.node}; you have ${process.version}.`);
  }
}

export async function installPackages(heading) {
  checkNode();
  if (packagesAreCurrent()) {
    console.log(`${heading}  installed`);
    return;
  }
  await step(`${heading} (npm ci)`, 'npm', ['ci', '--no-audit', '--no-fund'], 'It needs the npm registry.');
}

/** @param options CMake's, e.g. `GMR_WERROR=ON`; what is not named stays as the last build had it. */
export async function buildNative(heading, options = []) {
  const hint = 'It needs CMake 3.25 or newer and a C++20 compiler (GCC 12, Clang 19 or newer).';
  const args = ['run', '--silent', 'build:native', '--', ...options.map((option) => `--CD${option}`)];
  tellCudaBackend(await step(`${heading} (cmake; the first time takes minutes)`, 'npm', args, hint));
}

/** Whether there is one and for what, or why not, where the output of CMake has it. */
export function tellCudaBackend(output) {
  const line = /CUDA backend: .*/.exec(output);
  if (line !== null) console.log(`  ${line[0]}`);
}

export function compileTypeScript(heading) {
  return step(heading, process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
}

/**
 * Refuses options that `help` lists and npm has kept: `npm run demo --quick` passes nothing on, but for npm_config_quick in the
 * environment.
 */
function refuseKept(help) {
  const names = Array.from(help.matchAll(/^ +--([\w-]+)/gm), ([, name]) => name);
  const kept = names.find((name) => `npm_config_${name.replace(/^no-/, '').replaceAll('-', '_')}` in process.env);
  if (kept === undefined) return;
  const command = `npm run ${process.env.npm_lifecycle_event} -- --${kept}`;
  throw new StepFailed(`expected \`${command}\`: without the -- in front npm keeps --${kept}`, 2);
}

/**
 * Brings everything into place, then runs a compiled script with our arguments, which options.js beside it reads; resolves to its exit
 * code. Native code, whose first build takes minutes, is not built for --help or a mistake.
 */
export async function runCompiled(what, ...script) {
  await installPackages('[1/4] Packages');
  await compileTypeScript('[2/4] TypeScript');
  const path = join('build-ts', ...script);
  const args = process.argv.slice(2);
  const { help, parseOptions } = await import(pathToFileURL(join(root, dirname(path), 'options.js')).href);
  refuseKept(help);
  let hasWork = false;
  try {
    hasWork = parseOptions(args) !== undefined;
  } catch {
    // The script says what is wrong.
  }
  if (hasWork) await buildNative('[3/4] Native code');
  console.log(`[4/4] ${what}\n`);
  return (await run(process.execPath, ['--enable-source-maps', path, ...args], { inherit: true })).code;
}

/** What a script's source says of it, at its head. */
function usage() {
  const lines = readFileSync(process.argv[1], 'utf8').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  return lines
    .slice(0, end)
    .map((line) => line.slice(3))
    .join('\n');
}

/** Runs `main`, which resolves to the exit code; `--help` prints what the script says of itself, unless it `hasHelp` of its own. */
export async function runMain(main, { hasHelp = false } = {}) {
  try {
    refuseKept(usage());
    if (!hasHelp && process.argv.includes('--help')) console.log(usage());
    else process.exitCode = await main();
  } catch (error) {
    const isMistake = String(error.code).startsWith('ERR_PARSE_ARGS');
    if (!isMistake && !(error instanceof StepFailed)) throw error;
    console.error(error.message);
    process.exitCode = isMistake ? 2 : error.exitCode;
  }
}
