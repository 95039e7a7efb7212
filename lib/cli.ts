#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { doctor } from './doctor/index.js';
import { formatReport } from './doctor/report.js';

const help = `Usage: gmr doctor [--json]

doctor   says what this machine has for gmr-conv and tries every backend: versions, processor, GPUs or why there are
         none, memory, threads, a self-test of each. Exit code 1 when one that should work does not.

  --json   the same as JSON
  --help   this text`;

async function main(): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
    });
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help || positionals.length === 0) {
    (values.help ? console.log : console.error)(help);
    return values.help ? 0 : 2;
  }
  if (positionals.length > 1 || positionals[0] !== 'doctor') {
    console.error(`expected the command doctor, received ${positionals.join(' ')}\n\n${help}`);
    return 2;
  }
  const report = await doctor();
  console.log(values.json ? JSON.stringify(report, null, 2) : formatReport(report));
  return report.ok ? 0 : 1;
}

process.exitCode = await main();
