// Failures of a device, planted at each call of the CUDA runtime in turn: see children/cuda_faults.ts.
import { expect } from 'chai';
import { cudaError } from '../support/cuda_sim.js';
import { cudaSim } from '../support/devices.js';
import { linesOf } from '../support/child.js';
import { rounds } from './rounds.js';
import type { FaultRun } from './children/cuda_faults.js';

// The second step uses memory, tables and pinned blocks of the first again.
const steps = rounds({ quick: 1, full: 2 });

const expectedToFail = [
  'cudaGetDeviceProperties',
  'cudaMalloc',
  'cudaMemset',
  'cudaDeviceSynchronize',
  'cudaStreamCreate',
  'cudaMallocHost',
  'cudaEventCreate',
  'cudaMemcpyAsync',
  'cudaEventRecord',
  'cudaEventSynchronize',
  'cudaLaunchKernel',
];

async function sweep(error: number): Promise<{ runs: FaultRun[]; losses: number[] }> {
  const environment = { GMR_CUDA_SIM_QUIET: '1', GMR_CUDA_SIM_DEVICES: '2000' };
  const script = new URL('./children/cuda_faults.js', import.meta.url);
  const lines = await linesOf(script, [String(error), String(steps)], environment, { limitMs: 200_000 });
  const runs = lines.map((line) => JSON.parse(line) as FaultRun);
  const { failed, outcomes } = runs.pop()!;
  // The last run has met no failure: the sweep has been through.
  expect(failed).to.equal('');
  expect(outcomes[0]!.losses).to.have.length(steps);
  expect(runs.length).to.be.greaterThan(150);
  expect(new Set(runs.map((run) => run.failed))).to.include.all.keys(expectedToFail);
  return { runs, losses: outcomes[0]!.losses! };
}

describe('a failure at each call of the CUDA runtime', function () {
  this.timeout(240_000);
  let ofMemory: ReturnType<typeof sweep>;
  let ofDevice: ReturnType<typeof sweep>;
  before(function () {
    if (cudaSim === undefined) this.skip();
    // Each on a core of its own.
    ofMemory = sweep(cudaError.memoryAllocation);
    ofDevice = sweep(cudaError.launchFailure);
    void Promise.allSettled([ofMemory, ofDevice]); // a failure is reported in its turn
  });

  it('of memory: the cache is tried, else the work fails, and the device goes on as if nothing had been', async () => {
    const { runs, losses } = await ofMemory;
    for (const [i, { failed, outcomes, buffers, report }] of runs.entries()) {
      const [first, next] = outcomes;
      const what = `call ${i + 1}, ${failed}`;
      if (first!.code === undefined) expect(first!.losses, what).to.deep.equal(losses);
      else
        expect(first!.code, what).to.equal(failed.startsWith('cudaGetDevice') ? 'device_unavailable' : 'out_of_memory');
      expect(next, what).to.deep.equal({ losses });
      expect(buffers, what).to.equal(0);
      expect(report, what).to.equal('');
    }
    // Memory of tensors and working memory of passes is found in the cache, or taken again.
    expect(
      runs.filter(({ failed, outcomes }) => failed === 'cudaMalloc' && outcomes[0]!.losses).length,
    ).to.be.greaterThan(20);
  });

  it('of the device: what is queued fails with the first cause, the device stays failed, all others go on', async () => {
    const { runs, losses } = await ofDevice;
    // Nothing hangs on their success. (cudaSetDevice: where memory is given back. cudaEventQuery: it is asked again.)
    const harmless = new Set(['cudaDriverGetVersion', 'cudaEventQuery', 'cudaFree', 'cudaSetDevice']);
    let ignored = 0;
    for (const [i, { failed, outcomes, buffers, report }] of runs.entries()) {
      const [first, next] = outcomes;
      const what = `call ${i + 1}, ${failed}`;
      if (first!.code === undefined) {
        expect(harmless, what).to.include(failed);
        expect(outcomes, what).to.deep.equal([{ losses }, { losses }]);
        ignored += 1;
      } else if (failed.startsWith('cudaGetDevice')) {
        expect(first!.code, what).to.equal('device_unavailable');
        expect(next, what).to.deep.equal({ losses });
      } else {
        const [cause, again] = outcomes.map(({ message }) => message!.replace(/^\[\w+\] /, ''));
        expect([first!.code, next!.code], what).to.deep.equal(['device_failure', 'device_failure']);
        expect(cause, what).to.match(/^the GPU failed in .+ with cudaErrorLaunchFailure/);
        expect(again, what).to.equal(cause);
      }
      expect(buffers, what).to.equal(0);
      expect(report, what).to.equal('');
    }
    expect(ignored).to.be.lessThan(40);
  });
});
