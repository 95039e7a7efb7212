import type { DoctorReport } from './report.js';

export type { BackendCheck, DoctorReport } from './report.js';

/**
 * Looks what this machine has and tries every backend, each kind in a process of its own: a small ring convolution and its
 * gradients against loops in JavaScript. Takes about a second; `npx --no -- gmr doctor` prints it.
 */
export async function doctor(): Promise<DoctorReport> {
  const { examine } = await import('./examine.js'); // not with every import of the package
  return examine('cuda');
}
