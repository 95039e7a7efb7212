// Containers: what control groups leave to the process, and that the pool of threads keeps to it.
import { expect } from 'chai';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { native } from '../../lib/native.js';
import { mountProblem, printedWithMounts } from '../support/mounts.js';

const folder = mkdtempSync(join(tmpdir(), 'gmr-cgroup-'));
after(() => rmSync(folder, { recursive: true }));

/** A folder with these files in it. */
function folderOf(name: string, files: Readonly<Record<string, string>>): string {
  const root = join(folder, name.replaceAll(/\W+/g, '-'));
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${text}\n`);
  }
  return root;
}

interface Case {
  files: Record<string, string>;
  memoryBytes: number | null;
  cpus: number | null;
}

const unlimited = { memoryBytes: null, cpus: null };
const cases: Record<string, Case> = {
  'no control groups': { files: { 'etc/hostname': 'x' }, ...unlimited },
  'version 2, no limits': {
    files: {
      'proc/self/cgroup': '0::/',
      'sys/fs/cgroup/cpu.max': 'max 100000',
      'sys/fs/cgroup/memory.max': 'max',
    },
    ...unlimited,
  },
  'version 2, a container that sees its own group as the root': {
    files: {
      'proc/self/cgroup': '0::/',
      'sys/fs/cgroup/cpu.max': '150000 100000',
      'sys/fs/cgroup/memory.max': '1073741824',
    },
    memoryBytes: 2 ** 30,
    cpus: 1.5,
  },
  'version 2, the closest limit of the groups around counts': {
    files: {
      'proc/self/cgroup': '0::/user.slice/app.scope',
      'sys/fs/cgroup/user.slice/cpu.max': '200000 100000',
      'sys/fs/cgroup/user.slice/memory.max': '1000000',
      'sys/fs/cgroup/user.slice/app.scope/cpu.max': '400000 100000',
      'sys/fs/cgroup/user.slice/app.scope/memory.max': '2000000',
    },
    memoryBytes: 1_000_000,
    cpus: 2,
  },
  'version 1': {
    files: {
      'proc/self/cgroup': '11:memory:/docker/0f\n4:cpu,cpuacct:/docker/0f\n1:name=systemd:/docker/0f',
      'sys/fs/cgroup/memory/docker/0f/memory.limit_in_bytes': '536870912',
      'sys/fs/cgroup/cpu,cpuacct/docker/0f/cpu.cfs_quota_us': '50000',
      'sys/fs/cgroup/cpu,cpuacct/docker/0f/cpu.cfs_period_us': '100000',
    },
    memoryBytes: 2 ** 29,
    cpus: 0.5,
  },
  'version 1, a container that is told a path outside': {
    files: {
      'proc/self/cgroup': '11:memory:/docker/0f\n4:cpu,cpuacct:/docker/0f',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '268435456',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '300000',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
    },
    memoryBytes: 2 ** 28,
    cpus: 3,
  },
  'version 1, no limits': {
    files: {
      'proc/self/cgroup': '4:cpu:/\n',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
    },
    ...unlimited,
  },
  'both versions at once': {
    files: {
      'proc/self/cgroup': '2:memory:/a\n0::/a',
      'sys/fs/cgroup/memory/a/memory.limit_in_bytes': '4096000',
      'sys/fs/cgroup/unified/a/cpu.max': '100000 100000',
    },
    memoryBytes: 4_096_000,
    cpus: 1,
  },
  'files that hold nonsense': {
    files: {
      'proc/self/cgroup': 'x\n::\n0::no/path\n0::/\n5:cpu:/',
      'sys/fs/cgroup/cpu.max': '100000',
      'sys/fs/cgroup/memory.max': '12 bytes',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '100000',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '0',
    },
    ...unlimited,
  },
};

describe('control groups', () => {
  for (const [name, { files, ...limits }] of Object.entries(cases)) {
    it(name, () => expect(native().cgroupLimits(folderOf(name, files))).to.deep.equal(limits));
  }

  // In a mount namespace of its own, a process finds the files of a group that has a quota.
  const library = new URL('../../lib/index.js', import.meta.url).href;
  const show = `const { device, memory } = await import(${JSON.stringify(library)});
    const cpu = await device('cpu');
    console.log(cpu.threads, memory(cpu).limitBytes);`;
  const inGroup = (files: Record<string, string>, environment: Record<string, string> = {}): string =>
    printedWithMounts(
      'mount --bind "$1" /sys/fs/cgroup',
      [folderOf(Object.values(files).join('-'), files)],
      ['--input-type=module', '-e', show],
      { GMR_NUM_THREADS: '', GMR_MEMORY_LIMIT: '', ...environment },
    );

  it('the pool has as many threads as the quota pays for, and the memory limit follows', function () {
    const problem = mountProblem();
    if (problem !== undefined) {
      console.log(`Not tested in a control group: ${problem}`);
      this.skip();
    }
    const tight = inGroup({ 'cpu.max': '40000 100000', 'memory.max': '1000000000' });
    expect(tight).to.equal('1 900000000');
    const cores = availableParallelism();
    expect(inGroup({ 'cpu.max': '110000 100000' })).to.match(new RegExp(`^${Math.min(cores, 2)} `));
    expect(inGroup({ 'cpu.max': 'max 100000' })).to.match(new RegExp(`^${cores} `));
    // What is asked for by name may be throttled, if that is what one wants.
    const asked = inGroup({ 'cpu.max': '50000 100000' }, { GMR_NUM_THREADS: '2' });
    expect(asked).to.match(new RegExp(`^${Math.min(cores, 2)} `));
  });
});
