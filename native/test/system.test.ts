import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { SystemCallError } from "../errors.js";
import { enterNetworkNamespace } from "../system.js";
import { openTun } from "../tun.js";
import { asNobody, canUseDevices, ip, Namespace } from "./namespaces.js";

const addonPath = fileURLToPath(new URL("../build/tun_tap.node", import.meta.url));

describe.runIf(canUseDevices)("as root", () => {
  test("what is opened after entering a namespace lives there, what was open stays", () => {
    const before = openTun({ name: "before0" });
    const elsewhere = Namespace.create();
    const inside = elsewhere.within(() => openTun({ name: "inside0" }));
    expect(ip("-br", "link")).toMatch(/before0/);
    expect(ip("-br", "link")).not.toMatch(/inside0/);
    expect(elsewhere.within(() => ip("-br", "link"))).toMatch(/inside0/);
    expect(elsewhere.within(() => ip("-br", "link"))).not.toMatch(/before0/);
    before.close();
    inside.close();
    elsewhere.close();
  });

  test("a namespace that is none is refused", () => {
    expect(() => enterNetworkNamespace("/var/run/netns/nowhere")).toThrow(/ENOENT .*nowhere does not exist/);
    expect(() => enterNetworkNamespace("/dev/null")).toThrow(SystemCallError);
    expect(() => enterNetworkNamespace("/dev/null")).toThrow(/^setns: EINVAL .*\/dev\/null is not a namespace/);
  });

  test("ending at once runs no exit handler and gives the status", () => {
    const script = `process.on("exit", () => process.stdout.write("handler"));
      require(${JSON.stringify(addonPath)}).endProcess(7);`;
    const { status, stdout } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 7, stdout: "" });
  });

  test("a process without dumps hides from its own user", () => {
    // The kernel gives the /proc entry of such a process to root: proc(5), PR_SET_DUMPABLE.
    const script = `const a = require(${JSON.stringify(addonPath)}), fs = require("fs");
      const owner = () => fs.statSync("/proc/self/mem").uid;
      const before = owner();
      const result = a.disableDumps();
      process.stdout.write([before, result, owner()].join(" "));`;
    const [program = "", ...args] = [...asNobody, process.execPath, "-e", script];
    expect(spawnSync(program, args, { encoding: "utf8" }).stdout).toBe("65534 0 0");
  });
});
