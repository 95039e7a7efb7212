// Every device that this machine has: each CPU level that the processor supports, the first GPU, and the CUDA kernels
// on the interpreter (native/testing/cuda_sim). What is missing is said once, with the reason.
import { Device } from '../../lib/device.js';
import type { GmrError } from '../../lib/index.js';
import { usableCpuLevels } from '../../lib/native.js';

function withVariable<T>(name: string, value: string, open: () => T): T {
  const before = process.env[name];
  process.env[name] = value;
  try {
    return open();
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}

const openLevel = (level: string): Device => withVariable('GMR_CPU_LEVEL', level, () => Device.open('cpu'));

function openIfUsable(kind: string): Device[] {
  try {
    return [Device.open(kind)];
  } catch (error) {
    const { code, message } = error as GmrError;
    if (code !== 'backend_missing' && code !== 'device_unavailable') throw error;
    console.log(`Not tested on ${kind}: ${message}`);
    return [];
  }
}

export const cpuDevices: readonly Device[] = usableCpuLevels().map(openLevel);
// Each tensor has memory of its own size that nobody has written before, so that the interpreter sees every overrun and
// every read of what an op has not written. Tests with processes of their own use the cache.
export const cudaSim: Device | undefined = withVariable('GMR_MEMORY_CACHE', '0', () => openIfUsable('cuda_sim'))[0];
export const devices: readonly Device[] = [
  ...cpuDevices,
  ...openIfUsable('cuda'),
  ...(cudaSim === undefined ? [] : [cudaSim]),
];

/** How a device is called in the title of a test. */
export function nameOf(device: Device): string {
  return device.kind === 'cpu' ? device.level : `${device.kind} ${device.level}`;
}
