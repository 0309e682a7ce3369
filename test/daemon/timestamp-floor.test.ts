import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TimestampSource } from "../../src/core/noise/tai64n.js";
import { floorFileName, TimestampFloor } from "../../src/daemon/timestamp-floor.js";
import { StateDirectory } from "../../src/system/state-directory.js";
import { eventually } from "../support/gateway.js";

const NOW_MS = Date.UTC(2027, 4, 5);
const YEAR_2038_MS = Date.UTC(2038, 0, 19);
const KEY = new Uint8Array(32).fill(7);
const OTHER_KEY = new Uint8Array(32).fill(8);

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "longhaul-floor-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

/** One run of a daemon: its clock, what it sent, what it logged. */
class Run {
  wallMs: number;
  bootMs = 1_000;
  readonly logged: string[] = [];
  readonly floor: TimestampFloor;
  readonly source = new TimestampSource();
  readonly #bytes = new Uint8Array(12);

  constructor(wallMs: number, directory = path, key = KEY) {
    this.wallMs = wallMs;
    const note = (_: object, message: string): void => void this.logged.push(message);
    this.floor = new TimestampFloor({
      directory: new StateDirectory(directory),
      wallMs: () => this.wallMs,
      bootMs: () => this.bootMs,
      log: { info: note, error: note },
    });
    this.use(key);
  }

  use(key: Uint8Array): void {
    const floor = this.floor.keyChanged(key);
    if (floor !== undefined) this.source.raiseFloor(floor.seconds, floor.nanos);
  }

  /** As the core does it. @returns the timestamp sent, in ms */
  send(): number {
    this.source.next(this.#bytes, this.floor.believe(this.wallMs));
    this.floor.reserve(this.source.last);
    return this.source.last.seconds * 1_000 + this.source.last.nanos / 1e6;
  }

  pass(ms: number): void {
    this.wallMs += ms;
    this.bootMs += ms;
  }
}

const stored = (key = KEY): number => Number.parseInt(readFileSync(join(path, floorFileName(key)), "utf8"), 10);

describe("a restart", () => {
  test("starts above everything that was sent, though it crashed and the clock says 1970", () => {
    const before = new Run(NOW_MS);
    const sent = before.send();
    expect(sent).toBeCloseTo(NOW_MS, -2);
    const after = new Run(0);
    expect(after.send()).toBeGreaterThan(sent);
    expect(after.logged).toEqual(["the clock is behind the last known time: handshakes go on from there"]);
    // and follows the clock again when that is set
    after.wallMs = NOW_MS + 3_600_000;
    expect(after.send()).toBeCloseTo(NOW_MS + 3_600_000, -2);
  });

  test("after a clean end is not ahead of the clock by more than a second", () => {
    const before = new Run(NOW_MS);
    const sent = before.send();
    before.floor.close();
    expect(stored()).toBe(Math.floor(sent / 1_000) + 1);
    const after = new Run(NOW_MS + 2_000);
    expect(after.send()).toBeCloseTo(NOW_MS + 2_000, -2);
  });

  test("crash after crash does not carry timestamps away", () => {
    let sent = 0;
    for (let i = 0; i < 50; i++) {
      const next = new Run(NOW_MS).send();
      expect(next).toBeGreaterThan(sent);
      sent = next;
    }
    expect(sent - NOW_MS).toBeLessThan(600_000 + 50 * 4_000);
  });

  test("keeps each private key's own, in files that do not tell the key", () => {
    const run = new Run(NOW_MS + 9_000_000);
    run.send();
    run.use(OTHER_KEY);
    run.send();
    const files = readdirSync(path);
    expect(files.sort()).toEqual([floorFileName(KEY), floorFileName(OTHER_KEY)].sort());
    const ofKey = Buffer.from(KEY);
    for (const name of files)
      expect([ofKey.toString("hex"), ofKey.toString("base64")].some((k) => name.includes(k))).toBe(false);
  });
});

describe("a clock that says 2038", () => {
  test("for an hour: nothing of it is sent or kept, and it is said once each way", () => {
    const run = new Run(NOW_MS);
    run.send();
    run.wallMs = YEAR_2038_MS;
    for (let i = 0; i < 60; i++) {
      run.pass(60_000);
      expect(run.send()).toBeLessThan(NOW_MS + 3_700_000);
    }
    expect(stored()).toBeLessThan(NOW_MS / 1_000 + 4_300);
    run.wallMs = NOW_MS + 3_600_000;
    expect(run.send()).toBeCloseTo(NOW_MS + 3_600_000, -2);
    expect(run.logged).toEqual([
      "the clock is far ahead of the last known time: handshakes do not follow it until it is set or a peer's clock agrees",
      "the clock is believed again",
    ]);
  });

  test("from the first start on: what it keeps does not count as knowledge", () => {
    new Run(YEAR_2038_MS).send();
    const again = new Run(YEAR_2038_MS);
    expect(again.send()).toBeLessThan(Date.UTC(2027, 0, 1));
    const set = new Run(Date.UTC(2029, 5, 1)); //  the truth, years after this program was made
    expect(set.send()).toBeCloseTo(Date.UTC(2029, 5, 1), -2);
    expect(set.logged).toEqual([]);
  });

  test("is believed when a peer's clock says so", () => {
    new Run(NOW_MS).send();
    const run = new Run(YEAR_2038_MS);
    run.send();
    run.floor.witness({ seconds: YEAR_2038_MS / 1_000 - 5, nanos: 0 });
    expect(run.send()).toBeCloseTo(YEAR_2038_MS, -2);
    expect(run.logged.at(-1)).toBe("the clock is believed again");
  });
});

describe("the disk", () => {
  test("is written every few minutes, without the loop waiting for it", async () => {
    const run = new Run(NOW_MS);
    run.send();
    let writes = 0;
    let last = stored();
    for (let minute = 2; minute <= 60; minute += 2) {
      run.pass(120_000);
      const reserved = stored();
      expect(run.send()).toBeLessThan(reserved * 1_000); //  nothing had to be written first
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (minute % 6 === 0) await eventually("the second is moved ahead", () => stored() > run.wallMs / 1_000 + 300);
      if (stored() !== last) writes++;
      last = stored();
    }
    expect(writes).toBeLessThan(20);
  });

  test("that cannot be written: a word, and timestamps grow in memory, also when a key comes back", () => {
    writeFileSync(join(path, "file"), "");
    const run = new Run(NOW_MS, join(path, "file"));
    const first = run.send();
    run.wallMs = 0;
    run.use(OTHER_KEY);
    run.send();
    run.use(KEY);
    expect(run.send()).toBeGreaterThan(first);
    const complaint =
      "cannot keep handshake timestamps on disk: they grow in memory, and a restart relies on the clock";
    expect(run.logged.filter((line) => line === complaint)).toHaveLength(1);
    run.floor.close();
  });

  test("that can be written again is said so", () => {
    const directory = join(path, "later");
    writeFileSync(directory, "");
    const run = new Run(NOW_MS, directory);
    run.send();
    rmSync(directory);
    run.pass(3_600_000);
    run.send();
    expect(run.logged.at(-1)).toBe("handshake timestamps are kept on disk again");
    expect(new Run(0, directory).send()).toBeGreaterThan(NOW_MS);
  });

  test("that can be written again is written with the next timestamp, in the same second", async () => {
    const directory = join(path, "soon");
    writeFileSync(directory, "");
    const run = new Run(NOW_MS, directory);
    run.send();
    rmSync(directory);
    run.send();
    await eventually("it is said", () => run.logged.at(-1) === "handshake timestamps are kept on disk again");
    expect(new Run(0, directory).send()).toBeGreaterThan(NOW_MS);
  });

  test.each(["", "nonsense", "17", "1800000000 no handshake timestamp has reached this Unix sec", "0 x"])(
    "with a damaged file %j: it is said, and replaced",
    (text) => {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, floorFileName(KEY)), text);
      const run = new Run(NOW_MS);
      run.send();
      expect(run.logged[0]).toMatch(/^cannot keep handshake timestamps/);
      expect(stored()).toBeGreaterThan(NOW_MS / 1_000);
    },
  );

  test("is not lowered under another daemon with the same key", () => {
    const run = new Run(NOW_MS);
    run.send();
    new Run(NOW_MS + 3_600_000).send();
    const before = stored();
    run.floor.close();
    expect(stored()).toBe(before);
  });
});
