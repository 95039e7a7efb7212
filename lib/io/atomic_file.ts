import type { Stats } from 'node:fs';
import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** What there is at `path`, if anything. */
async function existing(path: string): Promise<{ target: string; stats?: Stats }> {
  try {
    const target = await realpath(path);
    return { target, stats: await stat(target) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { target: path };
    throw error;
  }
}

/**
 * Writes a file so that `path` holds either what it held before or all of the new: under a temporary name beside it, flushed to
 * the disk, then renamed. After a failure nothing is left behind. A file that is replaced keeps its permissions; of a symbolic
 * link, the file that it leads to is replaced.
 * @internal
 */
export async function writeAtomically(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const { target, stats } = await existing(path);
  if (stats !== undefined && !stats.isFile()) throw new Error('it is no regular file');
  const mode = stats === undefined ? undefined : stats.mode & 0o777;
  // The rename lives in the folder, which is flushed at the end: opened first, so that a failure comes before any change.
  const folder = await open(dirname(target), 'r');
  try {
    // A file's name has at most 255 bytes.
    const name = `${basename(target).slice(0, 50)}.${process.pid}.${crypto.randomUUID().slice(0, 8)}.tmp`;
    const temporary = join(dirname(target), name);
    const file = await open(temporary, 'wx', mode);
    try {
      try {
        if (mode !== undefined) await file.chmod(mode); // which the umask has no part in
        await write(file);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await folder.sync();
  } finally {
    await folder.close();
  }
}
