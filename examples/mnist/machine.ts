import { execFile } from 'node:child_process';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { promisify } from 'node:util';
import type { Device } from '../../lib/index.js';
import type { Machine } from './results.js';

/** The commit that is checked out, with a mark when files differ from it; null without git. */
async function commit(): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('git', [
      'describe',
      '--always',
      '--dirty',
      '--abbrev=12',
      '--exclude=*',
    ]);
    return stdout.trim();
  } catch {
    return null;
  }
}

/** What the results were computed on. */
export async function describeMachine(device: Device): Promise<Machine> {
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown processor',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    device: device.kind,
    level: device.level,
    threads: device.threads,
    node: process.version,
    platform: `${platform()} ${release()} ${arch()}`,
    commit: await commit(),
    date: new Date().toISOString(),
  };
}
