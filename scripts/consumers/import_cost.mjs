// What importing costs: time, and whether anything native is there before the first use.
import { readFileSync } from 'node:fs';

const isLoaded = () => /libgmr_|gmr[\w.]*\.node/.test(readFileSync('/proc/self/maps', 'utf8'));
const start = performance.now();
const gmr = await import('gmr-conv');
const milliseconds = performance.now() - start;
const before = isLoaded();
await gmr.tensor([1]).data();
console.log(JSON.stringify({ milliseconds, loadedByImport: before, loadedByUse: isLoaded() }));
