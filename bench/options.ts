import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { benchedOps } from './support/suites.js';

export const help = `Usage: npm run bench -- [options] [op ...]

Times the ops (all of them, or those named) and compares with the machine's measured limits and with a peer, onnxruntime-node,
in the same rounds.

  --threads <list>   numbers of threads, e.g. 1,2 (default: 1 and all cores)
  --cases <text>     only cases whose name contains the text
  --rounds <n>       samples of each contestant (default 15)
  --no-peer          do not install or time the peer
  --json <file>      also write everything to a file
  --help             this text

ms        median of the samples, by the native clock of the passes in their stream; quartiles: the middle half
wall      the same from the call in JavaScript to the answer
GFLOP/s   of the product: ring convolution 2 N O C/G R P operations
FMA       GFLOP/s that multiply-adds alone reach, measured after each sample: the processor's clock moves with its load
of FMA    the product's over those
floor     least ms: product / FMA peak + ring sums' additions / addition peak; for ops that memory limits bytes / bandwidth, if
          they are far beyond the caches. Ops that write in place or only read can beat it: a copy, which the bandwidth is
          measured by, also reads each line that it is about to overwrite.
/ dense.. our wall time over the peer's; conv and ring_conv alone have a peer

GMR_CPU_LEVEL=x86-64-v3 npm run bench -- ... times the AVX2 kernels (x86-64-v2: SSE4.2); peaks are then those of that level.

Exit code: 0 when all targets that were measured are met, 1 when one is missed or on a failure, 2 for a mistake in the
options.`;

export interface Options {
  ops: string[];
  threads: number[];
  cases: string;
  rounds: number;
  peer: boolean;
  json?: string;
}

export class UsageError extends Error {}

function positiveInteger(option: string, text: string, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new UsageError(`expected ${option} to be given integers from 1 to ${max}, received '${text}'`);
  }
  return value;
}

/** Reads the command line; undefined when help was asked for. */
export function parseOptions(args: string[]): Options | undefined {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      threads: { type: 'string' },
      cases: { type: 'string', default: '' },
      rounds: { type: 'string', default: '15' },
      'no-peer': { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const known = benchedOps();
  const unknown = positionals.find((op) => !known.includes(op));
  if (unknown !== undefined) throw new UsageError(`expected an op (${known.join(', ')}), received '${unknown}'`);
  if (values.json !== undefined && !existsSync(dirname(values.json))) {
    throw new UsageError(`expected --json to name a file in a folder that is there, received '${values.json}'`);
  }
  const cores = availableParallelism();
  const threads = values.threads?.split(',').map((text) => positiveInteger('--threads', text, cores)) ?? [1, cores];
  return {
    ops: positionals.length > 0 ? positionals : known,
    threads: [...new Set(threads)],
    cases: values.cases,
    rounds: positiveInteger('--rounds', values.rounds, 10_000),
    peer: !values['no-peer'],
    json: values.json,
  };
}
