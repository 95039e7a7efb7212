// Every device that this machine has: each CPU level that the processor supports.
import { Device } from '../../lib/device.js';
import { native } from '../../lib/native.js';

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

export const devices: readonly Device[] = native().cpuLevels().map(openLevel);
