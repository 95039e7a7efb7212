import { readdirSync } from 'node:fs';
import type { BenchSuite } from './cases.js';

const folder = new URL('../ops/', import.meta.url);

/** The stems of all ops that have a bench file. */
export function benchedOps(): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.bench.js'))
    .map((name) => name.slice(0, -'.bench.js'.length))
    .toSorted();
}

export async function loadSuite(op: string): Promise<BenchSuite> {
  return ((await import(new URL(`${op}.bench.js`, folder).href)) as { suite: BenchSuite }).suite;
}
