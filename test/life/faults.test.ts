// Failures of a device, planted at each call of the CUDA runtime in turn: see children/cuda_faults.ts and op_faults.ts.
import { expect } from 'chai';
import { cudaError } from '../support/cuda_sim.js';
import { cudaSim } from '../support/devices.js';
import { inPairs, linesOf, runChild } from '../support/child.js';
import { rounds } from './rounds.js';
import type { FaultRun, Left } from './children/cuda_faults.js';
import type { OpFaultRun, Outcome } from './children/op_faults.js';

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

// Nothing hangs on their success. (cudaSetDevice: where memory is given back. cudaEventQuery: it is asked again.)
const harmless = new Set(['cudaDriverGetVersion', 'cudaEventQuery', 'cudaFree', 'cudaSetDevice']);

const environment = { GMR_CUDA_SIM_QUIET: '1', GMR_CUDA_SIM_DEVICES: '4000' };
const script = new URL('./children/cuda_faults.js', import.meta.url);

async function sweep(error: number): Promise<{ runs: FaultRun[]; losses: number[]; leaks: string[] }> {
  const lines = await linesOf(script, [String(error), String(steps)], environment, { limitMs: 200_000 });
  const { leaks } = JSON.parse(lines.pop()!) as Left;
  const runs = lines.map((line) => JSON.parse(line) as FaultRun);
  const { failed, outcomes } = runs.pop()!;
  // The last run has met no failure: the sweep has been through.
  expect(failed).to.equal('');
  expect(outcomes[0]!.losses).to.have.length(steps);
  expect(runs.length).to.be.greaterThan(150);
  expect(new Set(runs.map((run) => run.failed))).to.include.all.keys(expectedToFail);
  return { runs, losses: outcomes[0]!.losses!, leaks };
}

/** A failure to give something back leaves that, if it was something; nothing else is left when the devices are closed. */
function expectNoLeaks(runs: readonly FaultRun[], leaks: readonly string[]): void {
  const refused = runs.filter(({ failed }) => /Free|Destroy/.test(failed));
  expect(leaks.length, leaks.join('\n')).to.be.within(1, refused.length);
}

/** What an error says but for the op that met it. */
function causeOf({ message }: { message?: string }): string {
  return message!.replace(/^\[\w+\] /, '');
}

describe('a failure at each call of the CUDA runtime', function () {
  this.timeout(rounds({ quick: 240_000, full: 1_800_000 }));
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
    const { runs, losses, leaks } = await ofMemory;
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
    expectNoLeaks(runs, leaks);
    // Memory of tensors and working memory of passes is found in the cache, or taken again.
    expect(
      runs.filter(({ failed, outcomes }) => failed === 'cudaMalloc' && outcomes[0]!.losses).length,
    ).to.be.greaterThan(20);
  });

  it('of the device: what is queued fails with the first cause, the device stays failed, all others go on', async () => {
    const { runs, losses, leaks } = await ofDevice;
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
        const [cause, again] = outcomes.map(causeOf);
        expect([first!.code, next!.code], what).to.deep.equal(['device_failure', 'device_failure']);
        expect(cause, what).to.match(/^the GPU failed in .+ with cudaErrorLaunchFailure/);
        expect(again, what).to.equal(cause);
      }
      expect(buffers, what).to.equal(0);
      expect(report, what).to.equal('');
    }
    expect(ignored).to.be.lessThan(40);
    expectNoLeaks(runs, leaks);
  });

  it('a GPU that is lost: the first cause is kept, the process ends well, with work queued', async () => {
    const step = rounds({ quick: 13, full: 1 });
    const { runs, losses } = await ofDevice;
    const causes = new Set<string>();
    await inPairs(Math.ceil((1.1 * runs.length) / step), async (i) => {
      const args = [String(cudaError.launchFailure), String(steps), String(1 + step * i)];
      const [line] = await linesOf(script, args, environment);
      const { failed, outcomes, buffers, report } = JSON.parse(line!) as FaultRun;
      const [first, next] = outcomes as [(typeof outcomes)[0], (typeof outcomes)[0]];
      const what = `from call ${1 + step * i} on, ${failed}`;
      if (first.code === undefined) expect(first.losses, what).to.deep.equal(losses);
      else if (first.code === 'device_unavailable') expect(next, what).to.deep.equal(first);
      else {
        expect(first.code, what).to.equal('device_failure');
        expect(causeOf(first), what).to.match(/^the GPU failed in .+ with cudaErrorLaunchFailure/);
        expect(causeOf(next), what).to.equal(causeOf(first));
        causes.add(causeOf(first));
      }
      expect(buffers, what).to.equal(0);
      expect(report, what).to.equal('');
    });
    expect(causes.size).to.be.greaterThan(3);
  });
});

describe('a failure while every op runs', function () {
  const step = rounds({ quick: 67, full: 1 });
  this.timeout(rounds({ quick: 240_000, full: 3_600_000 }));
  let ofMemory: ReturnType<typeof opSweep>;
  let ofDevice: ReturnType<typeof opSweep>;
  before(function () {
    if (cudaSim === undefined) this.skip();
    ofMemory = opSweep(cudaError.memoryAllocation);
    ofDevice = opSweep(cudaError.launchFailure);
    void Promise.allSettled([ofMemory, ofDevice]); // a failure is reported in its turn
  });

  /** Runs with a failure each, and what all calls give without one. */
  async function opSweep(error: number): Promise<{ runs: OpFaultRun[]; wanted: Outcome[] }> {
    const path = new URL('./children/op_faults.js', import.meta.url);
    // So little memory that one upload needs more than the slots for uploads hold.
    const small = { ...environment, GMR_CUDA_SIM_MEMORY: String(64 << 20) };
    const runs: OpFaultRun[] = [];
    // GPUs stay open until the process ends, and share that memory.
    for (const count = 30; runs.at(-1)?.failed !== '';) {
      const args = [error, 1 + step * runs.length, step, count].map(String);
      const lines = await linesOf(path, args, small, { limitMs: 120_000 });
      for (const line of lines) if (line.startsWith('{')) runs.push(JSON.parse(line) as OpFaultRun);
    }
    const { failed, outcomes } = runs.pop()!;
    expect(failed).to.equal('');
    const wanted = outcomes[0]!;
    expect(wanted.every(({ results }) => results !== undefined)).to.equal(true);
    expect(outcomes[1]).to.deep.equal(wanted);
    expect(runs.length).to.be.greaterThan(1500 / step);
    return { runs, wanted };
  }

  const whatFails = (what: string, outcomes: Outcome[], wanted: Outcome[]): Outcome[] => {
    expect(outcomes, what).to.have.length(wanted.length);
    const failures = outcomes.filter(({ code }) => code !== undefined);
    expect(
      outcomes.filter(({ code }) => code === undefined),
      what,
    ).to.deep.equal(wanted.filter(({ name }, i) => name === outcomes[i]!.name && outcomes[i]!.code === undefined));
    return failures;
  };

  it('of memory: it is told once, at one op, and all others give the right results', async () => {
    const { runs, wanted } = await ofMemory;
    for (const [i, { failed, outcomes, buffers, report }] of runs.entries()) {
      const what = `call ${1 + step * i}, ${failed}`;
      const failures = whatFails(what, outcomes[0]!, wanted);
      expect(failures.length, what).to.be.at.most(1);
      for (const { code } of failures) expect(code, what).to.be.oneOf(['out_of_memory', 'device_unavailable']);
      expect(outcomes[1], what).to.deep.equal(wanted);
      expect(buffers, what).to.equal(0);
      expect(report, what).to.equal('');
    }
  });

  it('of the device: what comes before gives the right results, all after it the first cause', async () => {
    const { runs, wanted } = await ofDevice;
    for (const [i, { failed, outcomes, buffers, report }] of runs.entries()) {
      const what = `call ${1 + step * i}, ${failed}`;
      const [first, next] = outcomes as [Outcome[], Outcome[]];
      const failures = whatFails(what, first, wanted);
      if (failures.length === 0) {
        expect(harmless, what).to.include(failed);
        expect(next, what).to.deep.equal(wanted);
      } else if (failures[0]!.code === 'device_unavailable') {
        expect(failures, what).to.have.length(1);
        expect(next, what).to.deep.equal(wanted);
      } else {
        expect(failures, what).to.deep.equal(first.slice(-failures.length));
        const all = [...failures, ...next];
        expect(new Set(all.map(({ code }) => code)), what).to.deep.equal(new Set(['device_failure']));
        expect(new Set(all.map(causeOf)).size, what).to.equal(1);
      }
      expect(buffers, what).to.equal(0);
      expect(report, what).to.equal('');
    }
  });
});

describe('a failure in the middle', function () {
  /** What a process prints that ends well, with a GPU of the interpreter. */
  async function printed(body: string): Promise<string> {
    const controlUrl = new URL('../support/cuda_sim.js', import.meta.url).href;
    const { code, stdout, stderr } = await runChild(`
      const { cudaError, cudaSimControl } = await import(${JSON.stringify(controlUrl)});
      const device = gmr.Device.open('cuda_sim');
      ${body}`);
    expect(code, stderr).to.equal(0);
    return stdout;
  }

  before(function () {
    if (cudaSim === undefined) this.skip();
  });

  it('of a pass that changes a tensor, for want of memory: what came before is not done twice', async () => {
    const stdout = await printed(`
      const options = { device };
      for (const nth of [0, 1, 2, 3]) {
        const x = gmr.tensor([1, 2, 3, 6], [4, 1, 1], options);
        const [mean, variance] = [gmr.tensor([8], undefined, options), gmr.tensor([1], undefined, options)];
        await x.data();
        if (nth > 0) cudaSimControl().fail('cudaLaunchKernel', nth, cudaError.memoryAllocation);
        const y = gmr.ops.batchNorm(x, null, null, { mean, variance }, { training: true, momentum: 0.5 });
        console.log(JSON.stringify([...(await y.data()), ...(await mean.data())]), cudaSimControl().failed());
        cudaSimControl().reset();
      }`);
    const lines = stdout.trimEnd().split('\n');
    const [wanted] = lines[0]!.split(' ');
    expect((JSON.parse(wanted!) as number[]).at(-1)).to.equal(5.5);
    expect(lines).to.deep.equal([`${wanted} `, ...Array<string>(3).fill(`${wanted} cudaLaunchKernel`)]);
  });

  it('of a pass that uploads a table, for want of memory: it is tried again', async () => {
    const stdout = await printed(`
      const x = gmr.tensor(new Float32Array(25).fill(1), [1, 1, 5, 5], { device });
      const v = gmr.tensor(new Float32Array(12).fill(1), [6, 1, 2], { device });
      await gmr.ops.conv(x, gmr.tensor([1], [1, 1, 1, 1], { device })).data();
      cudaSimControl().fail('cudaMemcpyAsync', 1, cudaError.memoryAllocation);
      const y = await gmr.ops.ringConv(x, v, { kernelSize: [3, 3] }).data();
      console.log(new Set(y), cudaSimControl().failed());`);
    expect(stdout).to.equal('Set(1) { 9 } cudaMemcpyAsync\n');
  });

  it('of an upload, where the device makes room for it: it is told, whatever failed', async () => {
    const stdout = await printed(`
      await gmr.tensor([1], undefined, { device }).data();
      cudaSimControl().fail('cudaMalloc', 2, cudaError.launchFailure); // the first is the tensor's
      const x = gmr.tensor(new Float32Array(2 ** 16), undefined, { device });
      await x.data().catch(({ code }) => console.log(code));`);
    expect(stdout).to.equal('device_failure\n');
  });
});
