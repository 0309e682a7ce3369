// Small files that survive a power cut, in the directory that a service may write to. A file is always as it was before or as it is
// after a write: written beside, synced, renamed, and the directory synced. It must not know what a file says.

import {
  closeSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { mkdir, open, unlink } from "node:fs/promises";
import { join } from "node:path";

const DEFAULT_STATE_DIRECTORY = "/var/lib/longhaul";
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const READ_BYTES_MAX = 4_096;
/** Ends of the names that are written under, one a way to write: neither takes a file from under the other. */
const AT_ONCE = 0;
const SOON = 1;

/** @returns where state is kept: what systemd made for the service, or what the system has for it. */
export function stateDirectoryPath(env: NodeJS.ProcessEnv): string {
  const [first] = (env["STATE_DIRECTORY"] ?? "").split(":"); //  several directories are possible; ours is the first
  return first || DEFAULT_STATE_DIRECTORY;
}

export class StateDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** @returns the file's text, or undefined: there is none. Errors: system errors; RangeError when it is too long. */
  read(name: string): string | undefined {
    try {
      const bytes = readFileSync(join(this.path, name));
      if (bytes.length > READ_BYTES_MAX) throw new RangeError(`${join(this.path, name)} is not what longhaul wrote`);
      return bytes.toString("utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Writes the file; when this returns, it is on the disk. Makes the directory if need be. Errors: system errors. */
  write(name: string, text: string): void {
    mkdirSync(this.path, { recursive: true, mode: DIRECTORY_MODE });
    const temporary = this.#temporary(name, AT_ONCE);
    try {
      const fd = openSync(temporary, "wx", FILE_MODE);
      try {
        this.#giveToOwner(fd);
        writeSync(fd, text);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(temporary, join(this.path, name));
    } catch (error) {
      discard(temporary);
      throw error;
    }
    const directory = openSync(this.path, "r");
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  }

  /**
   * As write, without keeping the event loop. One at a time of the same name; write() may be called meanwhile.
   * @param isWanted  asked at the last moment: false leaves the file as it is
   * @returns whether it was written. Errors: system errors.
   */
  async writeSoon(name: string, text: string, isWanted: () => boolean): Promise<boolean> {
    await mkdir(this.path, { recursive: true, mode: DIRECTORY_MODE });
    const temporary = this.#temporary(name, SOON);
    try {
      const file = await open(temporary, "wx", FILE_MODE);
      try {
        this.#giveToOwner(file.fd);
        await file.write(text);
        await file.sync();
      } finally {
        await file.close();
      }
      if (!isWanted()) {
        await unlink(temporary);
        return false;
      }
      renameSync(temporary, join(this.path, name)); //  at once, so that no later write comes in between
    } catch (error) {
      discard(temporary);
      throw error;
    }
    const directory = await open(this.path, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    return true;
  }

  /** What root writes by hand belongs to the service's user too, who has to read it later. */
  #giveToOwner(fd: number): void {
    if (process.geteuid?.() !== 0) return;
    const { uid, gid } = statSync(this.path);
    if (uid !== 0) fchownSync(fd, uid, gid);
  }

  /** A crash may leave one behind: names come again, so that at most two do, and the next run replaces them. */
  #temporary(name: string, way: typeof AT_ONCE | typeof SOON): string {
    const path = join(this.path, `.${name}.${way}`);
    discard(path);
    return path;
  }
}

function discard(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // There is none, or there is no way to remove it: the open that follows says why.
  }
}
