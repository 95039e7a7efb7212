// No kernel takes more registers, stack or shared memory than native/cuda/ptxas_budget.txt says.
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import {
  type Budget,
  budgetFile,
  budgetText,
  measuredBudget,
  overBudget,
  parseBudget,
  readBudget,
  type Resources,
  shortName,
} from '../../bench/cuda/budget.js';
import { cudaSim } from '../support/devices.js';

const line: Resources = {
  kernel: 'k<float, 2>',
  target: 'sm_90',
  registers: 40,
  stack: 0,
  shared: 128,
  threads: 256,
  blocks: 6,
};

describe('ptxas budget', () => {
  it('names a kernel without its namespaces and parameters', () => {
    expect(shortName('gmr::cuda::(anonymous namespace)::pad_kernel(gmr::PadForward, void (*)(int))')).to.equal(
      'pad_kernel',
    );
    expect(shortName('void gmr::cuda::sums<double, (Kind)1>(double const*, long)')).to.equal('sums<double, (Kind)1>');
  });

  it('reads what it writes', () => {
    const budget: Budget = { compiler: '13.0.88', lines: [line, { ...line, target: 'sm_100', registers: 42 }] };
    expect(parseBudget(budgetText(budget))).to.deep.equal(budget);
  });

  it('tells new kernels, missing ones and each excess, of the targets at hand', () => {
    const other = { ...line, target: 'sm_80' };
    expect(overBudget([line, other], [line])).to.deep.equal([]);
    expect(overBudget([line], [{ ...line, registers: 39, blocks: 7 }])).to.deep.equal([]);
    expect(overBudget([line], [{ ...line, registers: 41 }])).to.deep.equal([
      'k<float, 2> for sm_90: 41 registers, allowed are 40',
    ]);
    expect(overBudget([line], [{ ...line, stack: 8, shared: 256, threads: 128, blocks: 5 }])).to.have.length(4);
    expect(overBudget([line], [{ ...line, kernel: 'new' }])).to.deep.equal([
      'new for sm_90 is not in the table',
      'k<float, 2> for sm_90 is in the table, and nowhere else',
    ]);
  });

  it('is as it would be written', () => {
    expect(readFileSync(budgetFile, 'utf8')).to.equal(budgetText(readBudget()));
  });

  it('is kept by every kernel of this build', function () {
    if (cudaSim === undefined) return this.skip();
    const budget = readBudget();
    const measured = measuredBudget();
    if (measured.compiler !== budget.compiler) {
      console.log(
        `ptxas budget: not checked, it is of ptxas ${budget.compiler} and this build of ${measured.compiler}`,
      );
      return this.skip();
    }
    expect(measured.lines.length).to.be.greaterThan(40);
    const problems = overBudget(budget.lines, measured.lines);
    expect(problems, `${problems.join('\n')}\nOn purpose: npm run cuda:budget`).to.deep.equal([]);
    expect(
      measured.lines.filter(({ stack }) => stack !== 0),
      'a stack, or spills',
    ).to.deep.equal([]);
  });
});
