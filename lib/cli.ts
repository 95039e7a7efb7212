#!/usr/bin/env node
import { parseCommand } from './cli_options.js';
import { doctor } from './doctor/index.js';
import { formatReport } from './doctor/report.js';
import { packageVersion } from './native.js';

const help = `Usage: gmr doctor [--json]
       gmr --version

doctor   says what this machine has for gmr-conv and tries every backend: versions, processor, GPUs or why there are
         none, memory, threads, a self-test of each. Exit code 1 when one that should work does not.

  --json      the same as JSON
  --version   of this package
  --help      this text`;

async function main(): Promise<number> {
  const command = parseCommand(process.argv.slice(2));
  if (command.name === 'help') {
    console.log(help);
    return 0;
  }
  if (command.name === 'version') {
    console.log(packageVersion());
    return 0;
  }
  if (command.name === 'mistake') {
    console.error(command.problem === '' ? help : `${command.problem}\n\n${help}`);
    return 2;
  }
  const report = await doctor();
  console.log(command.json ? JSON.stringify(report, null, 2) : formatReport(report));
  return report.ok ? 0 : 1;
}

process.exitCode = await main();
