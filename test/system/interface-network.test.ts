// What is remembered of an interface across the end of its daemon. Nothing of the system is touched: there is nothing to take away.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { InterfaceNetwork } from "../../src/system/interface-network.js";
import { writeJournal } from "../../src/system/journal.js";
import { MAIN_TABLE, type NetworkState } from "../../src/system/network-state.js";

const state: NetworkState = {
  addresses: ["10.99.0.1/24"],
  mtu: 1_420,
  isUp: true,
  routes: [{ prefix: "192.168.20.0/24", table: MAIN_TABLE }],
};

describe("the journal", () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "longhaul-journal-"));
    path = join(directory, "hq.json");
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const network = (): InterfaceNetwork => new InterfaceNetwork("hq", path);

  test("an interface that was kept is taken over as it was, and its hooks are not run again", async () => {
    await writeJournal(path, { states: [state], isComplete: true });
    const next = network();
    expect(await next.recover(true)).toHaveLength(1);
    expect([next.state, next.isComplete]).toEqual([state, true]);
  });

  test("a daemon that died on its way up leaves its hooks to the next one", async () => {
    await writeJournal(path, { states: [state], isComplete: false });
    const next = network();
    await next.recover(true);
    expect([next.state, next.isComplete]).toEqual([state, false]);
    await next.complete();
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ states: [state], isComplete: true });
  });

  test("without its interface a state is forgotten; without a journal a kept interface counts as complete", async () => {
    await writeJournal(path, { states: [state], isComplete: true });
    const next = network();
    expect(await next.recover(false)).toEqual([]);
    expect([next.state, next.isComplete]).toEqual([undefined, false]);
    const other = network();
    expect(await other.recover(true)).toEqual([]);
    expect([other.state, other.isComplete]).toEqual([undefined, true]);
  });

  test.each(["", "{", "[]", '{"states":[{}]}', '{"states":"no"}'])("a journal that says %j is none", async (text) => {
    writeFileSync(path, text);
    const next = network();
    expect(await next.recover(false)).toEqual([]);
    expect(next.state).toBeUndefined();
  });
});
