// Runs a piece of JavaScript in a Node process of its own: for what depends on the environment or ends the process.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface ChildResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

const library = new URL('../../lib/index.js', import.meta.url).href;

function runNode(args: readonly string[], environment: Record<string, string>, limitMs: number): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      env: { ...process.env, ...environment },
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** `body` is the body of an async function; `gmr` is the library. Killed after `limitMs`. */
export function runChild(
  body: string,
  environment: Record<string, string> = {},
  limitMs = 30_000,
): Promise<ChildResult> {
  const source = `import * as gmr from ${JSON.stringify(library)};\n${body}`;
  return runNode(['--expose-gc', '--input-type=module', '-e', source], environment, limitMs);
}

/** The same with a module of its own; `script` is its URL, `args` what it finds in `process.argv`. */
export function runScript(
  script: URL,
  args: readonly string[] = [],
  environment: Record<string, string> = {},
  { limitMs = 30_000, flags = [] as readonly string[] } = {},
): Promise<ChildResult> {
  return runNode([...flags, fileURLToPath(script), ...args], environment, limitMs);
}

/** The lines that a script printed; it must end well and within the limit. */
export async function linesOf(...call: Parameters<typeof runScript>): Promise<string[]> {
  const { code, signal, stdout, stderr } = await runScript(...call);
  if (code !== 0) throw new Error(`${call[0].pathname} ended with ${signal ?? code}:\n${stdout}${stderr}`);
  return stdout.trimEnd().split('\n');
}

/** Calls `fn` for 0 to `count - 1`, two at a time. */
export async function inPairs(count: number, fn: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await fn(next++);
  };
  await Promise.all([work(), work()]);
}
