// What doctor finds, and how it is printed.

/** One backend on this machine. */
export interface BackendCheck {
  kind: string;
  /** A CPU level, `cuda:<index>`, or `cuda` where no GPU can be used. */
  name: string;
  /**
   * `works`: the self-test gave what loops in JavaScript give. `unavailable`: this machine or this package does not have it, and need not.
   * `failed`: it should work and does not.
   */
  status: 'works' | 'unavailable' | 'failed';
  /** The device, or what is in the way and what to do about it. */
  detail: string;
  /** The largest relative error of the self-test. */
  error?: number;
  /** Source commit and compilers of its library. */
  build?: string;
}

export interface DoctorReport {
  /** No backend failed, and there is at least one that works. */
  ok: boolean;
  versions: {
    gmr: string;
    node: string;
    nodeApi: string;
    system: string;
    cLibrary: string;
    nvidiaDriver: string | null;
  };
  /** gmr.node: where it is and what it says of its making; or why there is none. */
  addon: { path: string | null; build: string | null; problem: string | null };
  processor: { model: string; architecture: string; features: string[] };
  /**
   * The machine's, and what a container lets the process have; what the tensors on the processor may take together (null where no
   * device opened), and GMR_MEMORY_LIMIT.
   */
  memory: {
    totalBytes: number;
    freeBytes: number;
    limitBytes: number | null;
    tensorBytes: number | null;
    requested: string | null;
  };
  /** Threads that do the arithmetic, processors that the system grants, and GMR_NUM_THREADS. */
  threads: { used: number | null; available: number; requested: string | null };
  /** The CPU level that is taken, and why. */
  cpuLevel: { name: string; reason: string } | null;
  /** What `device('auto')` is. */
  defaultDevice: string | null;
  backends: BackendCheck[];
}

const marks = { works: 'ok', unavailable: '--', failed: 'FAILED' } as const;

function size(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** Where a library is from is said where it is not from where the addon is. */
function backendLines({ name, status, detail, error, build }: BackendCheck, addonBuild: string | null): string[] {
  const tested = error === undefined ? '' : `; self-test within ${error.toExponential(1)}`;
  const [first, ...rest] = `${detail}${tested}`.split('\n');
  return [
    `  ${marks[status].padEnd(6)} ${name.padEnd(10)} ${first}`,
    ...rest.map((line) => `         ${line}`),
    ...(build === undefined || build === '' || build === addonBuild ? [] : [`                    built from ${build}`]),
  ];
}

/** @internal The report as text. */
export function formatReport(report: DoctorReport): string {
  const { versions, addon, processor, memory, threads, cpuLevel, defaultDevice, backends } = report;
  const limit = memory.limitBytes === null ? '' : `, limited to ${size(memory.limitBytes)}`;
  const forTensors = memory.tensorBytes === null ? '' : `, tensors may take ${size(memory.tensorBytes)}`;
  const used = threads.used === null ? '' : `${threads.used} of `;
  const setting = (name: string, value: string | null): string => (value === null ? '' : `, ${name}=${value}`);
  return [
    `gmr-conv   ${versions.gmr}, Node ${versions.node} (Node-API ${versions.nodeApi})`,
    `system     ${versions.system}, ${versions.cLibrary}, ${
      versions.nvidiaDriver === null ? 'no NVIDIA driver' : `NVIDIA driver ${versions.nvidiaDriver}`
    }`,
    `addon      ${addon.path ?? 'none'}${addon.build === null ? '' : `, built from ${addon.build}`}`,
    ...(addon.problem === null ? [] : addon.problem.split('\n').map((line) => `           ${line}`)),
    `processor  ${processor.model} (${processor.architecture}): ${processor.features.join(' ') || 'no known features'}`,
    `memory     ${size(memory.totalBytes)}, ${size(memory.freeBytes)} free${limit}${forTensors}${setting('GMR_MEMORY_LIMIT', memory.requested)}`,
    `threads    ${used}${threads.available} available${setting('GMR_NUM_THREADS', threads.requested)}`,
    `cpu level  ${cpuLevel === null ? 'none' : `${cpuLevel.name}: ${cpuLevel.reason}`}`,
    `default    ${defaultDevice ?? 'none'}`,
    'backends',
    ...backends.flatMap((backend) => backendLines(backend, addon.build)),
    report.ok ? 'All that this build has for this machine works.' : 'Something that should work does not.',
  ].join('\n');
}
