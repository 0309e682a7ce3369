// Replaces a file so that a crash at any instant leaves either the old one or the new one, whole. Made for files with keys in them.

import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

const PRIVATE_MODE = 0o600;
const OTHERS = 0o007;
const OWNER_AND_GROUP_READ = 0o640;

/**
 * Writes `bytes` under the name of `path`, which is followed when it is a symbolic link. The new file has mode 0600; or, where the
 * old one was closed to others, no more than the old one's mode, its owner and its group, so that a daemon which was let in stays in.
 * Errors: system errors, with nothing changed and nothing left behind.
 */
export function writeFileDurably(path: string, bytes: Buffer): void {
  const target = realPath(path);
  const directory = dirname(target);
  removeLeftovers(directory, basename(target));
  const temporary = join(directory, `.${basename(target)}.${process.pid}.tmp`);
  try {
    writeTemporary(temporary, target, bytes);
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(directory);
}

function writeTemporary(temporary: string, target: string, bytes: Buffer): void {
  const fd = openSync(temporary, "wx", PRIVATE_MODE);
  try {
    keepAccess(fd, target);
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Owner first: whoever gets the file gets the mode it had, and never a wider one in between. */
function keepAccess(fd: number, target: string): void {
  const old = statSync(target, { throwIfNoEntry: false });
  if (old === undefined) return;
  if (process.getuid?.() === 0) fchownSync(fd, old.uid, old.gid);
  const isClosed = (old.mode & OTHERS) === 0;
  fchmodSync(fd, isClosed ? old.mode & OWNER_AND_GROUP_READ : old.mode & PRIVATE_MODE);
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; //  it is not there yet
  }
}

/** Of processes that were killed while they wrote: there are keys in them. */
function removeLeftovers(directory: string, name: string): void {
  for (const entry of readdirSync(directory)) {
    if (!entry.startsWith(`.${name}.`) || !entry.endsWith(".tmp")) continue;
    const pid = entry.slice(name.length + 2, -".tmp".length);
    if (/^[0-9]+$/.test(pid) && !isRunning(Number(pid))) rmSync(join(directory, entry), { force: true });
  }
}

function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** The new name must be on the disk too. */
function syncDirectory(directory: string): void {
  const fd = openSync(directory, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
