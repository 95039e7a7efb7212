// Argument: a kind of device. Opens devices where address space has room for none, one or two more stacks of threads. Prints what came of it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as gmr from '../../../lib/index.js';
import { usableCpuLevels } from '../../../lib/native.js';

const mebibyte = 2 ** 20;

function limitAddressSpace(limit: string): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--as=${limit}:`]);
}

function open(kind: string, index: number): string {
  try {
    return String(gmr.Device.open(kind, index)).replace(/ .*/, '');
  } catch (error) {
    return `${(error as gmr.GmrError).code} ${(error as Error).message}`;
  }
}

const kind = process.argv[2]!;
// Libraries need room as well.
usableCpuLevels();
if (kind !== 'cpu') open(kind, 0);
for (const [index, room] of [2, 6, 10, 14, 18, 22].entries()) {
  const used = Number(/VmSize:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;
  limitAddressSpace(String(used + room * mebibyte));
  const outcome = open(kind, kind === 'cpu' ? 0 : index + 1);
  limitAddressSpace('unlimited');
  console.log(outcome);
}
const device = gmr.Device.open(kind, 0);
console.log(await gmr.tensor([2], undefined, { device }).item());
