// What the interpreter found while all other tests ran. Runs behind them, see .mocharc.json.
import { expect } from 'chai';
import { cudaSimControl } from '../support/cuda_sim.js';
import { cudaSim } from '../support/devices.js';
import { tooLargeForSm80 } from '../support/ring_kernels.js';

describe('CUDA kernels, after all tests', () => {
  before(function () {
    if (cudaSim === undefined) this.skip();
  });

  it('every __global__ function was launched', () => {
    const kernels = cudaSimControl().kernels().trim().split('\n');
    expect(kernels.length).to.be.greaterThan(40);
    expect(kernels.filter((line) => line.startsWith('0 ') && !tooLargeForSm80.test(line))).to.deep.equal([]);
  });

  it('none used memory out of bounds, unwritten, or in a race', () => {
    expect(cudaSimControl().report()).to.equal('');
  });
});
