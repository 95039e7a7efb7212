import { parseArgs } from 'node:util';

/** What a command line asks for. */
export type Command =
  { name: 'doctor'; json: boolean } | { name: 'help' } | { name: 'version' } | { name: 'mistake'; problem: string };

/** Reads the arguments of `gmr`. A mistake without words is a command line that is empty. */
export function parseCommand(args: readonly string[]): Command {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', short: 'v', default: false },
      },
    });
  } catch (error) {
    return { name: 'mistake', problem: (error as Error).message };
  }
  const { values, positionals } = parsed;
  if (values.help) return { name: 'help' };
  if (values.version) return { name: 'version' };
  if (positionals.length === 0) return { name: 'mistake', problem: '' };
  if (positionals.length > 1 || positionals[0] !== 'doctor') {
    return { name: 'mistake', problem: `expected the command doctor, received ${positionals.join(' ')}` };
  }
  return { name: 'doctor', json: values.json };
}
