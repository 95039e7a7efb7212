// native/cuda/ptxas_budget.txt: what ptxas gives every kernel of every target, committed. Made by `npm run cuda:budget`,
// held by test/cuda/budget.test.ts.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cudaSimControl } from '../../test/support/cuda_sim.js';
import { table } from '../support/table.js';

export const budgetFile = join(process.cwd(), 'native', 'cuda', 'ptxas_budget.txt');

/** Threads of a block of a kernel without launch bounds: `block_threads` of native/cuda/launch.h. */
const defaultThreads = 256;

export interface Resources {
  kernel: string;
  /** `sm_90` */
  target: string;
  /** Of a thread. */
  registers: number;
  /** Bytes a thread; what is spilled lies there. */
  stack: number;
  /** Bytes of static shared memory. */
  shared: number;
  /** Of a block. */
  threads: number;
  /** Resident on a multiprocessor: by registers, threads and static shared memory. */
  blocks: number;
}

export interface Budget {
  /** Version of the compiler that the lines are of. */
  compiler: string;
  lines: readonly Resources[];
}

/** `sums<float>` of `void gmr::cuda::(anonymous namespace)::sums<float>(float const*, long)`. */
export function shortName(full: string): string {
  const name = full
    .replace(/^void /, '')
    .replaceAll(/gmr::(cuda::)?/g, '')
    .replaceAll('(anonymous namespace)::', '');
  return name.replace(/\([^()]*(\([^()]*\)[^()]*)*\)$/, '');
}

export function computeCapability(target: string): number {
  return Number(/^sm_(\d+)/.exec(target)![1]);
}

/** Of all kernels in a library on the interpreter, build/Release's by default. */
export function measuredBudget(library?: string): Budget {
  const control = cudaSimControl(library);
  const compilers = new Set<string>();
  const lines = control
    .resources()
    .trim()
    .split('\n')
    .map((line) => {
      const [target, registers, stack, shared, bounds, compiler, ...name] = line.split(' ');
      compilers.add(compiler!);
      const threads = Number(bounds) === 0 ? defaultThreads : Number(bounds);
      const numbers = { registers: Number(registers), stack: Number(stack), shared: Number(shared), threads };
      const blocks = control.blocksPerMultiprocessor(
        computeCapability(target!),
        numbers.registers,
        numbers.shared,
        threads,
        0,
      );
      return { kernel: shortName(name.join(' ')), target: target!, ...numbers, blocks };
    });
  if (compilers.size !== 1)
    throw new Error(`expected one compiler for all kernels, found ${[...compilers].join(', ')}`);
  return { compiler: [...compilers][0]!, lines: sorted(lines) };
}

function sorted(lines: readonly Resources[]): Resources[] {
  const byTarget = (line: Resources): number => computeCapability(line.target);
  return lines.toSorted((a, b) => (a.kernel === b.kernel ? byTarget(a) - byTarget(b) : a.kernel < b.kernel ? -1 : 1));
}

const fields = ['registers', 'stack', 'shared', 'threads', 'blocks'] as const;

const heading = [
  'What ptxas gives each kernel for each target: registers and bytes of stack a thread (spills would lie there), bytes',
  'of static shared memory and threads a block, and the blocks that a multiprocessor holds of it by these (dynamic',
  'shared memory, which is chosen at the launch, may allow fewer). test/cuda/budget.test.ts fails when a kernel is',
  'new, gone or beyond its line. `npm run cuda:budget` writes the lines of the targets that were built anew, with',
  '--all-targets those of every target of a release.',
];

export function budgetText({ compiler, lines }: Budget): string {
  const rows = table<Resources>(
    [
      { title: 'kernel', align: 'left', cell: ({ kernel }) => kernel },
      { title: 'target', align: 'left', cell: ({ target }) => target },
      ...fields.map((title) => ({ title, align: 'right' as const, cell: (line: Resources) => String(line[title]) })),
    ],
    sorted(lines),
  );
  const comments = [...heading, `ptxas ${compiler}`].map((line) => `# ${line}`);
  return `${[...comments, '', rows[0], ...rows.slice(2)].join('\n')}\n`;
}

export function parseBudget(text: string): Budget {
  const compiler = /^# ptxas (\S+)$/m.exec(text)?.[1];
  if (compiler === undefined) throw new Error('expected the budget to name its ptxas');
  const [, ...rows] = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const lines = rows.map((row) => {
    // A kernel's template arguments have single spaces.
    const [kernel, target, ...numbers] = row.split(/ {2,}/);
    const values = fields.map((field, i) => [field, Number(numbers[i])] as const);
    return {
      kernel: kernel!,
      target: target!,
      ...(Object.fromEntries(values) as Pick<Resources, (typeof fields)[number]>),
    };
  });
  return { compiler, lines };
}

export function readBudget(): Budget {
  return existsSync(budgetFile) ? parseBudget(readFileSync(budgetFile, 'utf8')) : { compiler: 'none', lines: [] };
}

/** What breaks the budget, a sentence each; of the targets that were measured. */
export function overBudget(budget: readonly Resources[], measured: readonly Resources[]): string[] {
  const keyOf = ({ kernel, target }: Resources): string => `${kernel} for ${target}`;
  const allowed = new Map(budget.map((line) => [keyOf(line), line]));
  const found = new Map(measured.map((line) => [keyOf(line), line]));
  const targets = new Set(measured.map(({ target }) => target));
  const problems: string[] = [];
  for (const [key, line] of found) {
    const limit = allowed.get(key);
    if (limit === undefined) {
      problems.push(`${key} is not in the table`);
      continue;
    }
    for (const field of ['registers', 'stack', 'shared'] as const) {
      if (line[field] > limit[field]) problems.push(`${key}: ${line[field]} ${field}, allowed are ${limit[field]}`);
    }
    if (line.threads !== limit.threads) problems.push(`${key}: ${line.threads} threads instead of ${limit.threads}`);
    if (line.blocks < limit.blocks) problems.push(`${key}: ${line.blocks} blocks, ${limit.blocks} are demanded`);
  }
  for (const [key, { target }] of allowed) {
    if (targets.has(target) && !found.has(key)) problems.push(`${key} is in the table, and nowhere else`);
  }
  return problems;
}
