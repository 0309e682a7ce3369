// A service whose manager keeps descriptors for it: killed, it goes on with the same interface. test/systemd has the real manager.
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import type { Program } from "../../src/demo/command.js";
import { eventually } from "../support/gateway.js";
import {
  buildOffices,
  CONFIG_PATH,
  lanAddress,
  officeFile,
  runLonghaul,
  type ServiceOffices,
} from "../support/offices.js";
import { longhaul } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { ping } from "../support/traffic.js";

const script = fileURLToPath(new URL("../support/fake-manager.py", import.meta.url));

/** What the manager has seen. */
interface Seen {
  readonly started?: number;
  readonly given?: readonly string[];
  readonly message?: Readonly<Record<string, string>>;
  readonly fds?: number;
}

describe("a service manager that keeps descriptors", requireTools(["ip", "ping", "python3"]), () => {
  let offices: ServiceOffices | undefined;
  let manager: Program | undefined;
  afterEach(async () => {
    await manager?.stop("SIGKILL");
    await offices?.lab.close();
    offices = undefined;
  });

  const seen = (): Seen[] =>
    manager!.stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Seen);
  const told = (name: string): Seen[] => seen().filter(({ message }) => message !== undefined && name in message);
  const runs = (): Seen[] => seen().filter(({ started }) => started !== undefined);

  test("is told everything, and a killed run is gone on with", async () => {
    offices = await buildOffices();
    const { left, right } = offices;
    await right.gateway.writeFile(CONFIG_PATH, officeFile(right, left));
    await left.gateway.writeFile(CONFIG_PATH, officeFile(left, right));
    expect(await runLonghaul(right, "up", CONFIG_PATH)).toMatchObject({ status: 0 });
    manager = left.gateway.start(["python3", script, "@longhaul-test-notify", longhaul.path, "run", CONFIG_PATH]);
    await eventually("the service is ready", () => told("READY").length === 1, 20_000);
    expect(told("READY")[0]?.message?.["STATUS"]).toMatch(/^0 of 1 peer connected, port 51820; in 0 bit\/s/);
    expect(told("FDSTORE")).toMatchObject([{ message: { FDNAME: "tun", FDPOLL: "0" }, fds: 8 }]);
    await eventually("it lives", () => told("WATCHDOG").length >= 3);
    const reaches = (): Promise<void> =>
      eventually(
        "the LANs are joined",
        async () => (await ping(left.lan, lanAddress(right), { count: 1, waitS: 1 })) === 1,
      );
    await reaches();

    const network = (): Promise<string> =>
      left.gateway.run(["sh", "-c", "ip -o link show hq; ip -o -4 address show hq; ip route"]);
    const before = await network();
    const monitor = left.gateway.start(["ip", "-o", "monitor", "link", "address", "route"]);
    manager.child.stdin!.write("kill SIGKILL\n");
    await eventually("another run is ready", () => told("READY").length === 2, 20_000);
    expect(runs().at(-1)?.given).toEqual(Array(8).fill("tun"));
    await reaches();
    expect(await network()).toBe(before);
    await monitor.stop();
    expect(monitor.stdout).not.toMatch(/^Deleted.* hq\b/m);

    manager.child.stdin!.write("kill SIGHUP\n");
    await eventually("it was reloaded", () => told("READY").length === 3);
    expect(told("RELOADING")[0]?.message?.["MONOTONIC_USEC"]).toMatch(/^\d+$/);

    // An interface that was deleted is not gone on with, and a new one takes its place.
    await left.gateway.ip("link delete hq");
    await eventually("a new interface", () => told("READY").length === 4, 20_000);
    expect(told("FDSTORE")).toHaveLength(2);
    await reaches();
    manager.child.stdin!.write("kill SIGTERM\n");
    await eventually("it says that it ends", () => told("STOPPING").length >= 1);
    await eventually("nothing is kept", () => runs().at(-1)?.given?.length === 0 && runs().length === 4, 20_000);
  });
});
