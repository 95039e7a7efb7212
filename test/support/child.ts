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

/** `body` is the body of an async function; `gmr` is the library. Killed after `limitMs`. */
export function runChild(
  body: string,
  environment: Record<string, string> = {},
  limitMs = 30_000,
): Promise<ChildResult> {
  const source = `import * as gmr from ${JSON.stringify(library)};\n${body}`;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', source], {
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
