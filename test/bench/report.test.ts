import { expect } from 'chai';
import type { BenchCase } from '../../bench/support/cases.js';
import type { Peaks } from '../../bench/support/machine.js';
import { passResults, targetLines, targetResults } from '../../bench/support/report.js';
import type { Timing } from '../../bench/support/timing.js';

function timing(ms: number, wallMs: number): Timing {
  return { ms, wallMs, quartilesMs: [ms, ms], samples: 15, callsPerSample: 1 };
}

const peaks: Peaks = { level: 'x86-64-v3', threads: 1, fmaGflops: 100, addGadds: 50, copyGBs: 10, triadGBs: 10 };
const benchCase: BenchCase = {
  name: 'layer',
  inputs: { x: [1] },
  options: null,
  bound: 'arithmetic',
  forward: { flops: 1e8, additions: 5e7, bytes: 4 },
  train: { flops: 3e8, bytes: 4 },
  targets: { floorFraction: 0.8, peers: { 'dense 3': 0.7 }, trainOverForward: 3.2 },
};
// By the clock of the passes the layer is at 0.5 of the peer, by that of JavaScript at 0.75.
const times = { name: 'layer', forward: timing(2, 3), train: timing(7, 9), peers: { 'dense 3': timing(4, 4) } };

describe('bench report', () => {
  const results = passResults(benchCase, times, peaks);

  it('compares wall times with the peer, which has no other, and own times with the floor', () => {
    const [forward, train] = results;
    expect(forward!.overPeers).to.deep.equal({ 'dense 3': 0.75 });
    expect(forward!.floorMs).to.be.closeTo(2, 1e-12);
    expect(forward!.floorFraction).to.be.closeTo(1, 1e-12);
    expect(forward!.fmaFraction).to.be.closeTo(0.5, 1e-12);
    expect(train!.overForward).to.equal(3.5);
  });

  it('holds arithmetic against the multiply-adds of the moment, not against those of the cool machine', () => {
    const throttled = { ...times, forward: { ...times.forward, fmaGflops: 80 } };
    const [forward] = passResults(benchCase, throttled, peaks);
    expect(forward!.fmaFraction).to.be.closeTo(0.5 / 0.8, 1e-12);
    expect(forward!.floorFraction).to.be.closeTo(1 / 0.8, 1e-12);
  });

  it('says of each target whether it was met', () => {
    const targets = targetResults(benchCase, results);
    expect(targets.map(({ pass }) => pass)).to.deep.equal([true, false, false]);
    expect(targetLines(targets).filter((line) => line.endsWith('FAIL'))).to.have.length(2);
  });
});
