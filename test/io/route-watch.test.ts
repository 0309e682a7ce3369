// Routes that change without end, under a device whose sources are looked at for it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { canUseDevices, ip, Namespace } from "../../native/test/namespaces.js";
import type { DeviceState } from "../../src/core/device/device-state.js";
import { ENDPOINT_BYTES, EndpointField } from "../../src/core/transport/endpoint-record.js";
import { RouteWatch } from "../../src/io/route-watch.js";

describe.runIf(canUseDevices)("RouteWatch", () => {
  const own = canUseDevices ? Namespace.create() : undefined;
  const before = canUseDevices ? Namespace.current() : undefined;
  own?.enter();
  afterAll(() => {
    before?.enter();
    own?.close();
  });

  /** Peers with a source each. @returns how often the first one was looked at */
  function watched(count: number): { watch: RouteWatch; looks: () => number; state: DeviceState } {
    const endpoints = new Uint8Array(count * ENDPOINT_BYTES);
    for (let id = 0; id < count; id++) endpoints[id * ENDPOINT_BYTES + EndpointField.SourceIfindex] = 1;
    let looks = 0;
    const canAnswerFrom = (record: number): boolean => {
      if (record === 0) looks++;
      return true;
    };
    const peers = Array.from({ length: count }, () => ({}));
    const state = { deps: { endpoints, canAnswerFrom }, peers } as unknown as DeviceState;
    const log = {
      error: (fields: { err: unknown }) => {
        throw fields.err;
      },
    };
    return { watch: new RouteWatch(state, () => 0, log), looks: () => looks, state };
  }

  const routes = (verb: string, count: number): string =>
    Array.from({ length: count }, (_, i) => `route ${verb} 203.${i >> 8}.${i & 255}.0/24 dev lo`).join("\n");

  test("a change is looked at at once, thousands in a row are not each", async () => {
    const { watch, looks } = watched(100);
    try {
      const beganMs = performance.now();
      expect(looks()).toBe(0);
      ip("route", "add", "198.51.100.0/24", "dev", "lo");
      await sleep(50);
      expect(looks()).toBe(1);
      for (const verb of ["add", "del", "add", "del"]) {
        const child = spawn("ip", ["-batch", "-"], { stdio: ["pipe", "ignore", "inherit"] });
        child.stdin.end(routes(verb, 2_000));
        expect(await once(child, "exit")).toEqual([0, null]);
      }
      await sleep(500);
      expect(looks()).toBeGreaterThan(1);
      expect(looks()).toBeLessThanOrEqual(2 + (performance.now() - beganMs) / 190); // a rest of 200 ms between two
    } finally {
      watch.close();
    }
  });

  test("after its end nobody is looked at", async () => {
    const { watch, looks } = watched(1_000);
    ip("route", "add", "198.51.101.0/24", "dev", "lo");
    watch.close();
    await sleep(100);
    expect(looks()).toBe(0);
  });
});
