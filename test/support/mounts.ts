// Scripts that see another file system: in a mount namespace of their own, which most systems let everybody have.
import { spawnSync } from 'node:child_process';

/** Why a namespace cannot be had here; undefined where it can. */
export function mountProblem(): string | undefined {
  const { status, stderr, error } = spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'true'], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `this system lets nobody mount: ${error?.message ?? stderr.trim()}`;
}

/**
 * What Node prints, with arguments `args`, after the shell commands `mounts`, in which `$1`, `$2`, ... are `places`. It must end well.
 */
export function printedWithMounts(
  mounts: string,
  places: readonly string[],
  args: readonly string[],
  environment: Record<string, string> = {},
): string {
  const script = `set -e; ${mounts}; shift ${places.length}; exec "$@"`;
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', ...places, process.execPath, ...args],
    { env: { ...process.env, ...environment }, encoding: 'utf8', timeout: 30_000 },
  );
  if (status !== 0) throw new Error(`ended with ${status}: ${stdout}${stderr}`);
  return stdout.trim();
}
