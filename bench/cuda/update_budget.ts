// `npm run cuda:budget`: writes native/cuda/ptxas_budget.txt anew from what was built.
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { budgetFile, budgetText, measuredBudget, overBudget, readBudget } from './budget.js';

const help = `Usage: npm run cuda:budget -- [options]

Writes the lines of native/cuda/ptxas_budget.txt for the targets in build/Release (sm_90, unless it was built for
others) and leaves those of other targets.

  --all-targets   builds the kernels for every target of a release, in build-targets/, and writes all lines. Minutes.
  --check         writes nothing; exit code 1 when a kernel is new, gone or beyond its line
  --help          this text`;

/** What a release is built for, and PTX for the interpreter. */
const releaseTargets = [75, 80, 86, 89, 90, 100, 120].map((target) => `${target}-real`);
const folder = 'build-targets';

/** @returns The library with the machine code of all targets. */
function buildAllTargets(): string {
  const cmakeJs = join('node_modules', '.bin', 'cmake-js');
  const options = [
    '--out',
    folder,
    '--CDGMR_BENCH=OFF',
    `--CDGMR_CUDA_ARCHITECTURES=${releaseTargets.join(';')};75-virtual`,
  ];
  const { status } = spawnSync(cmakeJs, ['compile', '--parallel', '2', '--target', 'gmr_cuda_sim', ...options], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`building for all targets ended with status ${status}`);
  return join(process.cwd(), folder, 'Release', 'libgmr_cuda_sim.so');
}

function main(): number {
  const { values } = parseArgs({
    options: {
      'all-targets': { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  if (!existsSync(join('build', 'Release', 'testing', 'gmr_cuda_sim_control.node'))) {
    throw new Error('expected CUDA kernels in build/Release: `npm run build:native` with nvcc 13');
  }
  const before = readBudget();
  const measured = measuredBudget(values['all-targets'] ? buildAllTargets() : undefined);
  const problems = overBudget(before.lines, measured.lines);
  for (const problem of problems) console.log(problem);
  if (values.check) return problems.length > 0 ? 1 : 0;

  const targets = new Set(measured.lines.map(({ target }) => target));
  const others = before.lines.filter(({ target }) => !targets.has(target));
  if (others.length > 0 && before.compiler !== measured.compiler) {
    const versions = `${measured.compiler}, and the other targets' lines are of ${before.compiler}`;
    throw new Error(`this is ptxas ${versions}: write all, with --all-targets`);
  }
  writeFileSync(budgetFile, budgetText({ compiler: measured.compiler, lines: [...others, ...measured.lines] }));
  console.log(`${measured.lines.length} lines for ${[...targets].join(', ')}, ${others.length} kept`);
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(`cuda:budget: ${(error as Error).message}`);
  process.exitCode = 2;
}
