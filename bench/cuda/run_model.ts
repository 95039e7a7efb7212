// `npm run bench:cuda-model`: what the convolution kernels would take on a GPU, by the model, beside the floor.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Device } from '../../lib/device.js';
import { cudaSimControl } from '../../test/support/cuda_sim.js';
import { number3, percent, table } from '../support/table.js';
import { computeCapability, readBudget, shortName } from './budget.js';
import { type Gpu, gpus } from './gpus.js';
import {
  conflictsOf,
  floorTime,
  type LaunchCounts,
  launchTime,
  type LaunchTime,
  type LineCounts,
  passTime,
  type PassTime,
  sectorsUsedOf,
  total,
  units,
} from './model.js';
import { countPasses, modelCases, type Pass, passes, workOf } from './model_cases.js';

const names = gpus.map(({ name }) => name).join(', ');
const help = `Usage: npm run bench:cuda-model -- [options]

Counts the convolution kernels on the interpreter and says what they would take on a GPU. Modelled, not measured.

  --gpu <text>     the GPU whose name contains the text: ${names} (default: the first)
  --cases <text>   only cases whose name contains the text
  --batch <n>      images (default 32)
  --blocks <n>     blocks of each launch that are run; the rest is taken to be like them (default 16)
  --lines <n>      of each launch also the n lines of source that cost the most (default 0)
  --json <file>    also write everything, with the counts, to a file
  --help           this text

blocks      of the launch, and how many a multiprocessor holds at a time, by the registers in ptxas_budget.txt
issue ..L2  us that each unit of the GPU is busy: schedulers, float32, conversions and the like, L1 and shared memory,
            tensor cores, L2. The largest is the launch's time.
sectors     share of the sectors of global memory that warps use of what they read and write
conflicts   wavefronts of shared memory beyond the least
lines       those with the largest share of their launch's instructions or wavefronts
floor       us by the formulas of docs/performance.md: product (on tensor cores at what mma.sync reaches of their peak)
            and ring sums, or each tensor once through memory
of the peak share of the tensor cores' full peak that the product makes of the modelled time, where it runs on them`;

interface LaunchRow extends LaunchTime {
  kernel: string;
  registers: number;
  resident: number;
  counts: LaunchCounts;
}

interface PassRow extends PassTime {
  case: string;
  pass: Pass;
  floor: PassTime;
  /** Of the tensor cores; NaN where the pass does not use them. */
  peak: number;
  launches: LaunchRow[];
}

function launchRow(
  counts: LaunchCounts,
  gpu: Gpu,
  registersOf: ReadonlyMap<string, { registers: number; shared: number }>,
): LaunchRow {
  const kernel = shortName(counts.kernel);
  const line = registersOf.get(kernel);
  if (line === undefined) {
    throw new Error(`expected ${kernel} for ${gpu.target} in native/cuda/ptxas_budget.txt: npm run cuda:budget`);
  }
  const threads = counts.block.reduce((n, extent) => n * extent, 1);
  const arch = computeCapability(gpu.target);
  const { registers, shared } = line;
  const resident = cudaSimControl().blocksPerMultiprocessor(arch, registers, shared, threads, counts.dynamicShared);
  return { kernel, registers, resident, counts, ...launchTime(counts, gpu) };
}

async function passRows(options: Options, gpu: Gpu, device: Device): Promise<PassRow[]> {
  const lines = readBudget().lines.filter(({ target }) => target === gpu.target);
  const registersOf = new Map(lines.map((line) => [line.kernel, line]));
  const rows: PassRow[] = [];
  for (const modelCase of modelCases(options.batch).filter(({ name }) => name.includes(options.cases))) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${modelCase.name} ...`);
    const counted = await countPasses(modelCase, device, options.blocks);
    const work = workOf(modelCase);
    for (const pass of passes) {
      if (counted[pass].length === 0) continue;
      const launches = counted[pass].map((counts) => launchRow(counts, gpu, registersOf));
      const shape = launches.flatMap(({ counts }) => Object.keys(counts.tensor))[0];
      const type = shape?.split(' ')[1] as keyof Gpu['tensor'] | undefined;
      const time = passTime(launches, work.bytes, gpu);
      const floor = floorTime(work, gpu, type);
      const peak =
        type === undefined ? NaN : work.fmas / (gpu.tensor[type] * gpu.multiprocessors * gpu.clock) / time.seconds;
      rows.push({ case: modelCase.name, pass, ...time, floor, peak, launches });
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return rows;
}

function us(seconds: number): string {
  return number3(seconds * 1e6);
}

function share(value: number): string {
  return Number.isNaN(value) ? '' : percent(value);
}

interface Line {
  pass: PassRow;
  launch: LaunchRow;
}

interface SourceLine extends Line {
  line: LineCounts;
  /** Shares of the launch. */
  instructions: number;
  wavefronts: number;
}

function costOf({ instructions, wavefronts }: SourceLine): number {
  return Math.max(instructions, wavefronts);
}

function costliest(pass: PassRow, launch: LaunchRow, count: number): SourceLine[] {
  const { lines } = launch.counts;
  const instructions = total(lines.map((line) => line.instructions));
  const wavefronts = Math.max(total(lines.map(({ shared }) => shared.wavefronts)), 1);
  const rows = lines.map((line) => ({
    pass,
    launch,
    line,
    instructions: line.instructions / instructions,
    wavefronts: line.shared.wavefronts / wavefronts,
  }));
  return rows.toSorted((a, b) => costOf(b) - costOf(a)).slice(0, count);
}

function printLines(rows: readonly PassRow[], count: number): void {
  const lines = rows.flatMap((pass) => pass.launches.flatMap((launch) => costliest(pass, launch, count)));
  const text = table<SourceLine>(
    [
      { title: 'case', align: 'left', cell: ({ pass }) => pass.case },
      { title: 'pass', align: 'left', cell: ({ pass }) => pass.pass },
      { title: 'kernel', align: 'left', cell: ({ launch }) => launch.kernel },
      { title: 'line', align: 'left', cell: ({ line }) => line.place },
      { title: 'instructions', align: 'right', cell: ({ instructions }) => percent(instructions) },
      { title: 'wavefronts', align: 'right', cell: ({ wavefronts }) => percent(wavefronts) },
      {
        title: 'conflicts',
        align: 'right',
        cell: ({ line }) => share(conflictsOf([line.shared])),
      },
      {
        title: 'sectors',
        align: 'right',
        cell: ({ line }) => share(sectorsUsedOf([line.global])),
      },
    ],
    lines,
  );
  console.log(text.join('\n'));
}

function printLaunches(rows: readonly PassRow[]): void {
  const lines: Line[] = rows.flatMap((pass) => pass.launches.map((launch) => ({ pass, launch })));
  const right = (title: string, cell: (line: Line) => string) => ({ title, align: 'right' as const, cell });
  const left = (title: string, cell: (line: Line) => string) => ({ title, align: 'left' as const, cell });
  const text = table<Line>(
    [
      left('case', ({ pass }) => pass.case),
      left('pass', ({ pass }) => pass.pass),
      left('kernel', ({ launch }) => launch.kernel),
      right('registers', ({ launch }) => String(launch.registers)),
      right('blocks', ({ launch }) => `${launch.blocks}, ${launch.resident} at a time`),
      ...units.map((unit) => right(unit, ({ launch }) => us(launch.busy[unit]))),
      left('bound', ({ launch }) => launch.bound),
      right('sectors', ({ launch }) => share(launch.sectorsUsed)),
      right('conflicts', ({ launch }) => share(launch.conflicts)),
    ],
    lines,
  );
  console.log(text.join('\n'));
}

function printPasses(rows: readonly PassRow[]): void {
  const text = table<PassRow>(
    [
      { title: 'case', align: 'left', cell: (row) => row.case },
      { title: 'pass', align: 'left', cell: ({ pass }) => pass },
      { title: 'modelled us', align: 'right', cell: ({ seconds }) => us(seconds) },
      { title: 'bound', align: 'left', cell: ({ bound }) => bound },
      { title: 'floor us', align: 'right', cell: ({ floor }) => us(floor.seconds) },
      { title: 'by', align: 'left', cell: ({ floor }) => floor.bound },
      { title: 'of the floor', align: 'right', cell: ({ seconds, floor }) => percent(floor.seconds / seconds) },
      { title: 'of the peak', align: 'right', cell: ({ peak }) => share(peak) },
    ],
    rows,
  );
  console.log(text.join('\n'));
}

interface Options {
  gpu: string;
  cases: string;
  batch: number;
  blocks: number;
  lines: number;
  json?: string;
}

function integer(option: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new Error(`expected ${option} to be an integer of at least ${least}, received '${text}'`);
  return value;
}

function parse(args: string[]): Options | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      gpu: { type: 'string', default: '' },
      cases: { type: 'string', default: '' },
      batch: { type: 'string', default: '32' },
      blocks: { type: 'string', default: '16' },
      lines: { type: 'string', default: '0' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const batch = integer('--batch', values.batch, 1);
  const blocks = integer('--blocks', values.blocks, 1);
  const lines = integer('--lines', values.lines, 0);
  return { gpu: values.gpu, cases: values.cases, batch, blocks, lines, json: values.json };
}

async function main(options: Options): Promise<void> {
  const gpu = gpus.find(({ name }) => name.includes(options.gpu));
  if (gpu === undefined) throw new Error(`expected --gpu to be part of ${names}, received '${options.gpu}'`);
  // The interpreter takes the PTX that this GPU would.
  process.env['GMR_CUDA_SIM_ARCH'] = String(computeCapability(gpu.target));
  const rows = await passRows(options, gpu, Device.open('cuda_sim'));
  if (rows.length === 0) throw new Error(`expected --cases to be part of a case's name, received '${options.cases}'`);
  const ptx = [...new Set(rows.flatMap(({ launches }) => launches.map(({ counts }) => `compute_${counts.ptx}`)))];
  console.log(`MODELLED, NOT MEASURED: ${gpu.name} (${gpu.target}), from counts of PTX for ${ptx.join(', ')}.`);
  console.log(`Of each launch ${options.blocks} blocks were run, and the rest taken to be like them.\n`);
  printLaunches(rows);
  console.log('');
  printPasses(rows);
  if (options.lines > 0) {
    console.log('');
    printLines(rows, options.lines);
  }
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ gpu, passes: rows }, null, 2)}\n`);
}

try {
  const options = parse(process.argv.slice(2));
  if (options === 'help') console.log(help);
  else await main(options);
} catch (error) {
  console.error(`bench:cuda-model: ${(error as Error).message}`);
  process.exitCode = 2;
}
