// npm run lint:native: clang-tidy with the checks of .clang-tidy over the native code that is shipped, kernels for
// GPUs among it (as plain C++), and over what kernels' templates are instantiated to a query of ours. Arguments are parts
// of file names. Takes minutes: each file is compiled, and its paths followed.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { buildNative, installPackages, root, runMain, StepFailed } from './steps.mjs';

const clangTidy = process.env.CLANG_TIDY || 'clang-tidy';
let clangQuery;

const widening = 'bugprone-implicit-widening-of-multiplication-result';

/**
 * Findings that are no faults: what they say is meant. `text` is a part of the line, `code` begins where the finding does.
 * A rule that no file needs any more is an error.
 */
const accepted = [
  {
    check: widening,
    file: /^native\/(cuda|ops\/\w+)\/\w+\.cuh?$/,
    code: /^(reinterpret_cast<[^>]*>\()?(a_at|b_at\[j\]|centre|column|dy|four_at|gradients?|out|panels?|planes(_|\(\))|runs_|staged|tile|to|two_at|values|w|weights|windows?_?)(\)? \+|\[)/,
    why: "offsets within a block's shared memory, whose size native/cuda/launch.h sees to",
  },
  {
    check: widening,
    file: /^native\/ops\/ring_conv\/ring_columns\.cuh$/,
    code: /^from \+ \(\(image \* columns_channels/,
    why: 'the same: planes that lie in shared memory',
  },
  {
    check: widening,
    file: /^native\/(cuda|ops\/\w+)\/\w+\.cuh?$/,
    code: /^(8 \* i|\(step \* \(outputs \/ 16\)|[ab]\[[24] \* [ij]\]|from\[i \* warp_threads|table(\.data\(\))? \+ 5 \*|(begin|piece) \* piece_elements|from_? \+= (begin|lane|taps|\(lane - before\)) \* |(upper|lower)\.v\[|2 \* (lanes|outputs)|from \+ (\d|split) \* |i \* copy_words|x\[\d \* i\]|sums\.sum\[|block_threads \* direct_rows|box_\w+ \* \w*(columns|rows)|width \* row_columns)/,
    why: 'extents of a tile, and indices of what a thread holds',
  },
  {
    check: widening,
    file: /^native\/cuda\/bfloat16_product\.cuh$/,
    code: /^y \+= Tile::warps \* plane/,
    why: 'where it is too large a plane has 2^32 bytes, of 17 outputs and more',
  },
  {
    check: widening,
    file: /^native\/ops\/sgd\/sgd_cuda\.cu$/,
    code: /^4 \* (threadIdx|blockDim)\.x/,
    why: 'a block has 1024 threads at most',
  },
  {
    check: widening,
    file: /^native\/.*\.(h|cc)$/,
    text: /\b([lL]anes|chains|direct_rows|\w+_(lanes|rows|depth|pitch)|\d+) \* |\* ([lL]anes|\w+_(lanes|rows|pitch)|1024)/,
    why: 'products of constants and of the width of a vector, a few thousand at most',
  },
  {
    check: 'bugprone-integer-division',
    file: /^native\/ops\/rotate\/rotate_(cpu\.cc|cuda\.cu)$/,
    text: /pixel \/ columns|tap \/ 2/,
    why: 'rows are counted whole',
  },
  {
    check: 'clang-analyzer-core.DivideZero',
    file: /^native\/backend\/allocator\.cc$/,
    text: /\/ quarter \* quarter/,
    why: 'what std::bit_floor makes of more than 256 is unknown to it',
  },
  {
    check: 'clang-diagnostic-error',
    file: /^native\/cuda\/shared_words\.cuh$/,
    text: /"=h"\(half\)/,
    why: 'registers of 16 bits, which no processor has',
  },
  {
    check: 'clang-diagnostic-error',
    file: /^native\/cuda\/bfloat16_product\.cuh$/,
    text: /^ +: "l"\(at\)/,
    why: 'clang 14 forgets to capture what only assembly in a lambda uses',
  },
  {
    check: 'clang-diagnostic-error',
    file: /^native\/backend\/backend_library\.cc$/,
    text: /__builtin_cpu_supports\("x86-64-v\d"\)/,
    why: 'clang before 18 does not know the levels of x86-64 there',
  },
];
const needed = new Set();

/** What is left of clang-tidy's output when the accepted findings are gone. */
function faults(output) {
  const lines = output.split('\n');
  const found = [];
  lines.forEach((line, i) => {
    const match = /^(\/[^:]+):\d+:(\d+): (?:error|warning): .*\[([\w.-]+)(?:,-warnings-as-errors)?\]$/.exec(line);
    if (match === null) return;
    const [, path, column, name] = match;
    const file = relative(root, path);
    const rule = accepted.find(
      ({ check, file: files, text, code }) =>
        check === name &&
        files.test(file) &&
        (text?.test(lines[i + 1]) ?? true) &&
        (code?.test(lines[i + 1].slice(column - 1)) ?? true),
    );
    if (rule === undefined) found.push(line, lines[i + 1]);
    else needed.add(rule);
  });
  return found.join('\n');
}

/** The compiler's arguments that matter for what a file means, out of its command. */
function meaningOf(command) {
  const quoted = command.match(/(?:[^\s"\\]|\\.|"(?:[^"\\]|\\.)*")+/g) ?? [];
  const words = quoted.map((word) => word.replace(/\\(.)|"/g, '$1'));
  const kept = [];
  words.forEach((word, i) => {
    if (/^(-D|-I|-isystem=?|-std=)./.test(word)) kept.push(word.replace(/^-isystem=/, '-isystem'));
    else if (word === '-isystem' || word === '-I') kept.push(word, words[i + 1]);
  });
  return kept;
}

function argumentsOf({ file, command }) {
  if (!file.endsWith('.cu')) return meaningOf(command);
  const shim = join(root, 'scripts', 'tidy', 'device_as_cxx.h');
  return ['-x', 'c++', '-include', shim, ...meaningOf(command)];
}

/** Each of our files once: kernels of the processor are compiled for several levels. */
function sources(filters) {
  const entries = JSON.parse(readFileSync(join(root, 'build', 'compile_commands.json'), 'utf8'));
  const byFile = new Map(entries.map((entry) => [relative(root, entry.file), entry]));
  return [...byFile].filter(
    ([file]) =>
      /^native\/(?!testing\/cuda_sim).*\.(cc|cu)$/.test(file) && // the interpreter is for tests alone
      (filters.length === 0 || filters.some((part) => file.includes(part))),
  );
}

/** Resolves to what a program prints about a file. */
function outputOf(program, options, [file, entry]) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...options, join(root, file), '--', ...argumentsOf(entry)], { cwd: root });
    let findings = '';
    let notes = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (findings += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (notes += text));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0 && findings === '') reject(new StepFailed(`${program} fails on ${file}:\n${notes}`));
      else resolve(findings);
    });
  });
}

/** Resolves to what is wrong with a file, '' when nothing is. */
async function check(source) {
  const found = faults(await outputOf(clangTidy, ['--quiet'], source));
  if (!source[0].endsWith('.cu')) return found;
  const matches = await outputOf(clangQuery, ['-f', join('scripts', 'tidy', 'widening.query')], source);
  // One finding an instantiation: the same line once, as clang-tidy would have it.
  const places = new Map(
    [...matches.matchAll(/^(\/.+:\d+:\d+): note: "root" binds here\n(.*)$/gm)].map(([, ...at]) => at),
  );
  const warnings = [...places].map(
    ([place, line]) => `${place}: warning: a product of 32 bits is widened in an instantiation [${widening}]\n${line}`,
  );
  return [found, faults(warnings.join('\n'))].filter(Boolean).join('\n');
}

/** The clang-query that goes with clang-tidy: Debian's has its version in its name. */
function findClangQuery(tidyVersion) {
  const [, major] = /version (\d+)/.exec(tidyVersion) ?? [];
  const runs = (name) => spawnSync(name, ['--version']).status === 0;
  const found = [process.env.CLANG_QUERY, 'clang-query', `clang-query-${major}`].find((name) => name && runs(name));
  if (found === undefined) {
    throw new StepFailed('Expected clang-query to run: install clang-tools, or name one in CLANG_QUERY.');
  }
  return found;
}

await runMain(async () => {
  const { status, stdout } = spawnSync(clangTidy, ['--version'], { encoding: 'utf8' });
  if (status !== 0) {
    throw new StepFailed(`Expected ${clangTidy} to run: install clang-tidy 14 or newer, or name one in CLANG_TIDY.`);
  }
  clangQuery = findClangQuery(stdout);
  await installPackages('[1/3] Packages');
  await buildNative('[2/3] Native code');
  const waiting = sources(process.argv.slice(2));
  const count = waiting.length;
  console.log(`[3/3] clang-tidy over ${count} files`);
  let failed = 0;
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const findings = await check(next);
      if (findings === '') continue;
      failed += 1;
      console.log(`${next[0]}:\n${findings}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  if (count === 0) throw new StepFailed('No file has such a name.');
  console.log(`${count - failed} of ${count} files clean`);
  const stale = process.argv.length > 2 ? [] : accepted.filter((rule) => !needed.has(rule));
  for (const { check, why } of stale) console.log(`No file needs the exception any more: ${check}, ${why}`);
  return failed === 0 && stale.length === 0 ? 0 : 1;
});
