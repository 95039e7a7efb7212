// npm run demo: brings everything into place that the MNIST demo needs, then runs it with the arguments given.
// Needs Node alone: it runs before there are any packages.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tailLines = 25;
const interrupted = 128 + constants.signals.SIGINT;
const terminal = process.stdout.isTTY === true;

class StepFailed extends Error {
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

/** Runs a command; resolves to its exit code, and all that it printed unless it shares our terminal. */
function run(command, args, { inherit = false, onOutput = () => {} } = {}) {
  return new Promise((resolve, reject) => {
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
      resolve({ code: code ?? 128 + constants.signals[signal], output });
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

/** One heading; on a terminal it shows the newest line of output while the command runs. */
async function step(number, title, command, args, hint) {
  const start = performance.now();
  const heading = `[${number}/4] ${title}`;
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
    result = { code: 1, output: error.message };
  } finally {
    clearInterval(timer);
    if (terminal) process.stdout.write('\r\x1b[K');
  }
  if (stopping) throw new StepFailed('stopped', interrupted);
  if (result.code !== 0) {
    const lines = lastLines(result.output, tailLines).map((line) => `    ${line}`);
    throw new StepFailed(
      `${heading} failed: \`${command} ${args.join(' ')}\` ended with code ${result.code}.` +
        `${hint && ` ${hint}`}\nIts last lines:\n\n${lines.join('\n')}`,
    );
  }
  console.log(`${terminal ? heading : `[${number}/4] done`}  ${seconds(start)}`);
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

async function main() {
  checkNode();
  if (packagesAreCurrent()) console.log('[1/4] Packages  installed');
  else await step(1, 'Packages (npm ci)', 'npm', ['ci', '--no-audit', '--no-fund'], 'It needs the npm registry.');
  await step(
    2,
    'Native code (cmake; the first time takes minutes)',
    'npm',
    ['run', '--silent', 'build:native'],
    'It needs CMake 3.25 or newer and a C++20 compiler (GCC 12, Clang 15 or newer).',
  );
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  await step(3, 'TypeScript', process.execPath, [tsc, '-p', '.'], '');
  console.log('[4/4] Demo\n');
  const script = join('build-ts', 'examples', 'mnist', 'main.js');
  const { code } = await run(process.execPath, ['--enable-source-maps', script, ...process.argv.slice(2)], {
    inherit: true,
  });
  return code;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}
