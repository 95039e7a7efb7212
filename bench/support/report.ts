// From times to figures, and from figures to tables.
import type { BenchCase, PeerName, Work } from './cases.js';
import { floorMs, peaksAt, type Peaks } from './machine.js';
import { number3, percent, table, type Column } from './table.js';
import type { Timing } from './timing.js';

/** What the worker measured of one case. */
export interface CaseTimes {
  name: string;
  forward: Timing;
  train?: Timing;
  peers: Partial<Record<PeerName, Timing>>;
}

export interface PassResult {
  case: string;
  pass: 'forward' | 'train';
  timing: Timing;
  work: Work;
  gflops: number;
  /** Of multiply-adds alone, between the samples. */
  fmaGflops: number;
  /** The product's operations a second, of the FMA peak. */
  fmaFraction: number;
  floorMs?: number;
  floorFraction?: number;
  gigabytesPerSecond: number;
  /** Train step over forward pass. */
  overForward?: number;
  /** Our wall time over the peer's: both clocks run in JavaScript, from the call to the answer. */
  overPeers: Partial<Record<PeerName, number>>;
}

export interface TargetResult {
  case: string;
  target: string;
  measured: string;
  pass: boolean;
}

function passResult(benchCase: BenchCase, pass: 'forward' | 'train', times: CaseTimes, coolPeaks: Peaks): PassResult {
  const timing = times[pass]!;
  const peaks = timing.fmaGflops === undefined ? coolPeaks : peaksAt(timing.fmaGflops, coolPeaks);
  const work = benchCase[pass]!;
  const gflops = work.flops / timing.ms / 1e6;
  const floor = floorMs(work, benchCase.bound, peaks);
  const peers = pass === 'forward' ? Object.entries(times.peers) : [];
  return {
    case: times.name,
    pass,
    timing,
    work,
    gflops,
    fmaGflops: peaks.fmaGflops,
    fmaFraction: gflops / peaks.fmaGflops,
    ...(floor === undefined ? {} : { floorMs: floor, floorFraction: floor / timing.ms }),
    gigabytesPerSecond: work.bytes / timing.ms / 1e6,
    ...(pass === 'train' ? { overForward: timing.ms / times.forward.ms } : {}),
    overPeers: Object.fromEntries(peers.map(([name, peer]) => [name, timing.wallMs / peer.wallMs])),
  };
}

export function passResults(benchCase: BenchCase, times: CaseTimes, peaks: Peaks): PassResult[] {
  const results = [passResult(benchCase, 'forward', times, peaks)];
  if (times.train !== undefined) results.push(passResult(benchCase, 'train', times, peaks));
  return results;
}

function limitText(limit: number): string {
  return String(Number(limit.toFixed(3)));
}

export function targetResults(benchCase: BenchCase, results: readonly PassResult[]): TargetResult[] {
  const { floorFraction, trainOverForward, peers = {} } = benchCase.targets ?? {};
  const [forward, train] = results;
  const found: TargetResult[] = [];
  const add = (target: string, measured: string, pass: boolean): void => {
    found.push({ case: benchCase.name, target, measured, pass });
  };
  const reached = forward!.floorFraction;
  if (floorFraction !== undefined && reached !== undefined) {
    const target = `forward >= ${percent(floorFraction)} of the floor`;
    add(target, `${(100 * reached).toFixed(1)} %`, reached >= floorFraction);
  }
  for (const [name, limit] of Object.entries(peers) as [PeerName, number][]) {
    const ratio = forward!.overPeers[name];
    if (ratio !== undefined)
      add(`forward <= ${limitText(limit)} x the peer's ${name}`, `${number3(ratio)} x`, ratio <= limit);
  }
  if (trainOverForward !== undefined && train?.overForward !== undefined) {
    const ratio = train.overForward;
    add(`train step <= ${limitText(trainOverForward)} x forward`, `${number3(ratio)} x`, ratio <= trainOverForward);
  }
  return found;
}

const peerColumn = (name: PeerName, title: string): Column<PassResult> => ({
  title,
  align: 'right',
  cell: ({ overPeers }) => (overPeers[name] === undefined ? '' : number3(overPeers[name])),
});

const columns: readonly Column<PassResult>[] = [
  { title: 'case', align: 'left', cell: (row) => (row.pass === 'forward' ? row.case : '') },
  { title: 'pass', align: 'left', cell: (row) => row.pass },
  { title: 'ms', align: 'right', cell: (row) => number3(row.timing.ms) },
  {
    title: 'quartiles',
    align: 'right',
    cell: ({ timing }) => timing.quartilesMs.map(number3).join(' .. '),
  },
  { title: 'wall', align: 'right', cell: (row) => number3(row.timing.wallMs) },
  { title: 'GFLOP/s', align: 'right', cell: (row) => (row.work.flops > 0 ? number3(row.gflops) : '') },
  { title: 'FMA', align: 'right', cell: (row) => (row.work.flops > 0 ? number3(row.fmaGflops) : '') },
  { title: 'of FMA', align: 'right', cell: (row) => (row.work.flops > 0 ? percent(row.fmaFraction) : '') },
  { title: 'floor', align: 'right', cell: (row) => (row.floorMs === undefined ? '' : number3(row.floorMs)) },
  {
    title: 'of floor',
    align: 'right',
    cell: (row) => (row.floorFraction === undefined ? '' : percent(row.floorFraction)),
  },
  { title: 'GB/s', align: 'right', cell: (row) => number3(row.gigabytesPerSecond) },
  {
    title: 'x forward',
    align: 'right',
    cell: (row) => (row.overForward === undefined ? '' : number3(row.overForward)),
  },
  peerColumn('dense 3', '/ dense 3'),
  peerColumn('dense k', '/ dense k'),
  peerColumn('depthwise k + 1x1', '/ dw k + 1x1'),
];

export function resultLines(results: readonly PassResult[]): string[] {
  return table(columns, results);
}

/** The peer's own times, which the ratios are made of. */
export function peerLines(cases: readonly CaseTimes[]): string[] {
  const rows = cases.flatMap(({ name, peers }) =>
    Object.entries(peers).map(([peer, timing]) => ({ name, peer, timing })),
  );
  if (rows.length === 0) return [];
  return table(
    [
      { title: 'peer: case', align: 'left', cell: (row) => row.name },
      { title: 'layer', align: 'left', cell: (row) => row.peer },
      { title: 'ms', align: 'right', cell: (row) => number3(row.timing.ms) },
      { title: 'quartiles', align: 'right', cell: (row) => row.timing.quartilesMs.map(number3).join(' .. ') },
    ],
    rows,
  );
}

export function targetLines(targets: readonly TargetResult[]): string[] {
  if (targets.length === 0) return [];
  return table<TargetResult>(
    [
      { title: 'target: case', align: 'left', cell: (row) => row.case },
      { title: 'target', align: 'left', cell: (row) => row.target },
      { title: 'measured', align: 'right', cell: (row) => row.measured },
      { title: '', align: 'left', cell: (row) => (row.pass ? 'pass' : 'FAIL') },
    ],
    targets,
  );
}
