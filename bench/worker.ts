// Times the cases of one op at one number of threads: that number is fixed for a process, so run.ts starts one for each.
import * as gmr from '../lib/index.js';
import type { BenchCase, BenchSuite } from './support/cases.js';
import { startYardstick } from './support/machine.js';
import { prepare } from './support/ours.js';
import { preparePeer } from './support/peer.js';
import type { CaseTimes } from './support/report.js';
import { loadSuite } from './support/suites.js';
import { race } from './support/timing.js';

export interface Task {
  op: string;
  cases: string[];
  rounds: number;
  withPeer: boolean;
}

async function timeCase(suite: BenchSuite, benchCase: BenchCase, device: gmr.Device, task: Task): Promise<CaseTimes> {
  const ours = prepare(suite, benchCase, device, yardstick);
  const peerCases = task.withPeer ? (benchCase.peers ?? []) : [];
  const peers = [];
  for (const peerCase of peerCases) peers.push(await preparePeer(peerCase, device.threads));
  const contestants = [ours.forward, ...(ours.train === undefined ? [] : [ours.train]), ...peers];
  const timings = await race(contestants, task.rounds);
  ours.dispose();
  for (const peer of peers) await peer.dispose();
  const peerTimings = timings.slice(contestants.length - peers.length);
  return {
    name: benchCase.name,
    forward: timings[0]!,
    ...(ours.train === undefined ? {} : { train: timings[1]! }),
    peers: Object.fromEntries(peerCases.map(({ name }, i) => [name, peerTimings[i]!])),
  };
}

const task = JSON.parse(process.argv[2]!) as Task;
const device = await gmr.device('cpu');
const yardstick = startYardstick(device.threads);
const suite = await loadSuite(task.op);
for (const benchCase of suite.cases.filter(({ name }) => task.cases.includes(name))) {
  process.send!(await timeCase(suite, benchCase, device, task));
}
yardstick.close();
process.disconnect();
