// Keeps sent timestamps across restarts: a file for each private key holds a second that no sent timestamp has reached. It is moved
// ahead in steps before timestamps reach it, so that a crash at any instant repeats none and the disk is rarely written.
// Without a disk to write to, it goes on in memory and says so.

import { createHash } from "node:crypto";
import type { Timestamp } from "../core/noise/tai64n.js";
import type { TimestampKeeper } from "../core/noise/timestamp-keeper.js";
import { TrustedClock } from "../core/noise/trusted-clock.js";
import type { StateDirectory } from "../system/state-directory.js";

/** How far ahead of the clock a second is reserved. Until it is over, a restart after a crash sends times of the future. */
const AHEAD_OF_CLOCK_S = 600;
/** Where timestamps are ahead of the clock already, crash after crash must not carry them away. Room for 120 timestamps. */
const AHEAD_OF_TIMESTAMP_S = 2;
const NANOS_MAX = 999_999_999;
const NAME_DIGITS = 32;
const LAST_SECOND = 2 ** 40;
/** A clock this much behind what was kept is worth a word. */
const BEHIND_MS = 2 * AHEAD_OF_CLOCK_S * 1_000;
const TEXT = "no handshake timestamp has reached this Unix second";
const DOUBTED_TEXT = "; no clock was believed yet";

/** What a file holds. */
interface Kept {
  readonly seconds: number;
  /** Whether a believed clock stands behind it, so that it tells how late it was. */
  readonly isKnown: boolean;
}

export interface TimestampFloorLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface TimestampFloorOptions {
  readonly directory: StateDirectory;
  readonly wallMs: () => number;
  readonly bootMs: () => number;
  readonly log: TimestampFloorLog;
}

export class TimestampFloor implements TimestampKeeper {
  readonly #directory: StateDirectory;
  readonly #wallMs: () => number;
  readonly #bootMs: () => number;
  readonly #log: TimestampFloorLog;
  readonly #clock: TrustedClock;
  /** By file name: the second reserved, for a key that comes back in the same run though the disk is gone. */
  readonly #reservedByName = new Map<string, number>();
  #name = "";
  #reservedS = 0;
  /** What is in the file; undefined: unknown. */
  #writtenS: number | undefined;
  #sentS = 0;
  #isWriting = false;
  #wasDoubted = false;
  #hasFailed = false;

  constructor(options: TimestampFloorOptions) {
    this.#directory = options.directory;
    this.#wallMs = options.wallMs;
    this.#bootMs = options.bootMs;
    this.#log = options.log;
    this.#clock = new TrustedClock(options.bootMs());
  }

  keyChanged(publicKey: Uint8Array): Timestamp | undefined {
    this.close();
    this.#name = floorFileName(publicKey);
    const kept = this.#read();
    this.#writtenS = kept?.seconds;
    const keptS = Math.max(kept?.seconds ?? 0, this.#reservedByName.get(this.#name) ?? 0);
    this.#reservedS = keptS;
    this.#sentS = 0;
    if (keptS === 0) return undefined;
    if (kept?.isKnown === true) this.#clock.learn(kept.seconds * 1_000, this.#bootMs());
    this.#tellIfBehind(keptS);
    return { seconds: keptS - 1, nanos: NANOS_MAX };
  }

  believe(wallMs: number): number {
    const believedMs = this.#clock.read(wallMs, this.#bootMs());
    if (this.#clock.isDoubted !== this.#wasDoubted) this.#doubtChanged(wallMs, believedMs);
    return believedMs;
  }

  reserve(timestamp: Readonly<Timestamp>): void {
    this.#sentS = timestamp.seconds;
    const wantedS = this.#reservation(timestamp.seconds);
    if (timestamp.seconds >= this.#reservedS) this.#reserveNow(wantedS);
    else if (this.#hasFailed) void this.#reserveSoon(Math.max(wantedS, this.#reservedS));
    else if (wantedS - this.#reservedS > AHEAD_OF_CLOCK_S / 2) void this.#reserveSoon(wantedS);
  }

  witness(timestamp: Readonly<Timestamp>): void {
    const wallMs = this.#wallMs();
    const peerMs = timestamp.seconds * 1_000 + timestamp.nanos / 1e6;
    if (this.#clock.witness(peerMs, wallMs, this.#bootMs())) this.#doubtChanged(wallMs, wallMs);
  }

  /** Gives back what is reserved and was not used, so that the next run starts at its clock. No timestamp follows. */
  close(): void {
    const name = this.#name;
    const unusedS = this.#sentS + 1;
    this.#name = "";
    if (name === "" || this.#sentS === 0 || this.#hasFailed || unusedS >= this.#reservedS) return;
    try {
      if (this.#readFile(name)?.seconds !== this.#writtenS) return; //  another daemon with this key has reserved more
      this.#directory.write(name, this.#format(unusedS));
      this.#reservedByName.set(name, unusedS);
    } catch {
      // What is reserved stays so: the next run starts a few minutes ahead of its clock.
    }
  }

  #reservation(sentS: number): number {
    const believedS = Math.floor(this.#clock.read(this.#wallMs(), this.#bootMs()) / 1_000);
    return Math.max(believedS + AHEAD_OF_CLOCK_S, sentS + 1 + AHEAD_OF_TIMESTAMP_S);
  }

  #reserveNow(wantedS: number): void {
    this.#take(wantedS);
    try {
      this.#directory.write(this.#name, this.#format(wantedS));
      this.#writtenS = wantedS;
      this.#succeeded();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #reserveSoon(wantedS: number): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    const name = this.#name;
    try {
      const isWanted = (): boolean => this.#name === name && this.#isNews(wantedS);
      if (!(await this.#directory.writeSoon(name, this.#format(wantedS), isWanted))) return;
      if (this.#name !== name || !this.#isNews(wantedS)) return;
      this.#writtenS = wantedS;
      this.#take(wantedS);
      this.#succeeded();
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isWriting = false;
    }
  }

  /** Whether it is more than what is reserved, or that is not on the disk. */
  #isNews(wantedS: number): boolean {
    return this.#hasFailed ? wantedS >= this.#reservedS : wantedS > this.#reservedS;
  }

  #take(reservedS: number): void {
    this.#reservedS = reservedS;
    this.#reservedByName.set(this.#name, reservedS);
  }

  #read(): Kept | undefined {
    try {
      return this.#readFile(this.#name);
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #readFile(name: string): Kept | undefined {
    const text = this.#directory.read(name);
    if (text === undefined) return undefined;
    const kept = parse(text);
    if (kept === undefined)
      throw new RangeError(`${this.#directory.path}/${name} is damaged; the next write replaces it`);
    return kept;
  }

  #format(seconds: number): string {
    return `${seconds} ${TEXT}${this.#clock.isInformed ? "" : DOUBTED_TEXT}\n`;
  }

  #failed(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const { path } = this.#directory;
    this.#log.error(
      { err: error, directory: path },
      "cannot keep handshake timestamps on disk: they grow in memory, and a restart relies on the clock",
    );
  }

  #succeeded(): void {
    if (!this.#hasFailed) return;
    this.#hasFailed = false;
    this.#log.info({ directory: this.#directory.path }, "handshake timestamps are kept on disk again");
  }

  #tellIfBehind(keptS: number): void {
    const wallMs = this.#wallMs();
    if (wallMs > keptS * 1_000 - BEHIND_MS) return;
    const fields = { clock: isoTime(wallMs), known: isoTime(keptS * 1_000) };
    this.#log.info(fields, "the clock is behind the last known time: handshakes go on from there");
  }

  #doubtChanged(wallMs: number, believedMs: number): void {
    this.#wasDoubted = this.#clock.isDoubted;
    if (!this.#wasDoubted) {
      this.#log.info({ clock: isoTime(wallMs) }, "the clock is believed again");
      return;
    }
    const fields = { clock: isoTime(wallMs), assumed: isoTime(believedMs), directory: this.#directory.path };
    this.#log.error(
      fields,
      "the clock is far ahead of the last known time: handshakes do not follow it until it is set or a peer's clock agrees",
    );
  }
}

/** @returns the file of a key's floor; it tells nothing of the key but that it is the same one. */
export function floorFileName(publicKey: Uint8Array): string {
  return `timestamp-${createHash("sha256").update(publicKey).digest("hex").slice(0, NAME_DIGITS)}`;
}

/** @returns undefined for what was not written by #format, or not wholly */
function parse(text: string): Kept | undefined {
  const space = text.indexOf(" ");
  const seconds = Number(/^[0-9]{1,13}$/.exec(text.slice(0, space))?.[0] ?? Number.NaN);
  const rest = text.slice(space + 1);
  const isKnown = rest === `${TEXT}\n`;
  if (!isKnown && rest !== `${TEXT}${DOUBTED_TEXT}\n`) return undefined;
  return seconds > 0 && seconds < LAST_SECOND ? { seconds, isKnown } : undefined;
}

function isoTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
