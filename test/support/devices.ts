// Every device that this machine has: each CPU level that the processor supports, the first GPU, and the CUDA kernels
// on the interpreter (native/testing/cuda_sim). What is missing is said once, with the reason.
import { Device } from '../../lib/device.js';
import type { GmrError } from '../../lib/index.js';
import { usableCpuLevels } from '../../lib/native.js';

function openLevel(level: string): Device {
  const before = process.env['GMR_CPU_LEVEL'];
  process.env['GMR_CPU_LEVEL'] = level;
  try {
    return Device.open('cpu');
  } finally {
    if (before === undefined) delete process.env['GMR_CPU_LEVEL'];
    else process.env['GMR_CPU_LEVEL'] = before;
  }
}

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
export const cudaSim: Device | undefined = openIfUsable('cuda_sim')[0];
export const devices: readonly Device[] = [
  ...cpuDevices,
  ...openIfUsable('cuda'),
  ...(cudaSim === undefined ? [] : [cudaSim]),
];

/** How a device is called in the title of a test. */
export function nameOf(device: Device): string {
  return device.kind === 'cpu' ? device.level : `${device.kind} ${device.level}`;
}
