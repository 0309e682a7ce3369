import { describe, expect, test } from "vitest";
import { jobOf, notifyMessages, takeServiceEnvironment, unitOf } from "../../src/system/notify.js";

const PID = 4711;

describe("the environment of a service", () => {
  test("is read and taken away, so that no child takes it for its own", () => {
    const env: NodeJS.ProcessEnv = {
      NOTIFY_SOCKET: "/run/systemd/notify",
      WATCHDOG_USEC: "10000000",
      WATCHDOG_PID: String(PID),
      LISTEN_PID: String(PID),
      LISTEN_FDS: "3",
      LISTEN_FDNAMES: "tun:tun:udp",
      PATH: "/bin",
    };
    expect(takeServiceEnvironment(env, PID)).toEqual({
      notifySocket: "/run/systemd/notify",
      watchdogMs: 10_000,
      stored: [
        { name: "tun", fd: 3 },
        { name: "tun", fd: 4 },
        { name: "udp", fd: 5 },
      ],
    });
    expect(env).toEqual({ PATH: "/bin" });
  });

  test.each([
    [{ LISTEN_FDS: "2", LISTEN_PID: "1" }, "another process's"],
    [{ LISTEN_FDS: "2" }, "nobody's"],
    [{ LISTEN_FDS: "-1", LISTEN_PID: String(PID) }, "no number"],
    [{ LISTEN_FDS: "1000000", LISTEN_PID: String(PID) }, "absurd"],
  ])("descriptors that are not for this process are left alone: %j, %s", (listen: NodeJS.ProcessEnv, _why: string) => {
    expect(takeServiceEnvironment({ NOTIFY_SOCKET: "@x", ...listen }, PID)?.stored).toEqual([]);
  });

  test.each([undefined, "", "relative", "vsock:2:1234"])("without a socket there is no manager: %s", (address) => {
    expect(takeServiceEnvironment({ NOTIFY_SOCKET: address }, PID)).toBeUndefined();
  });

  test("a watchdog of another process, or none, is none", () => {
    expect(
      takeServiceEnvironment({ NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "1000", WATCHDOG_PID: "1" }, PID)?.watchdogMs,
    ).toBe(undefined);
    expect(takeServiceEnvironment({ NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "no" }, PID)?.watchdogMs).toBeUndefined();
    expect(takeServiceEnvironment({ NOTIFY_SOCKET: "@x" }, PID)?.watchdogMs).toBeUndefined();
  });
});

test("a status stays one line, whatever is in it", () => {
  expect(notifyMessages.status("reload refused: a\nREADY=1\nb")).toBe("STATUS=reload refused: a READY=1 b");
  expect(notifyMessages.ready(`${"x".repeat(5_000)}\n`).length).toBeLessThan(600);
});

test("a reload carries the monotonic clock in whole microseconds", () => {
  expect(notifyMessages.reloading(12_345.678_9)).toBe("RELOADING=1\nMONOTONIC_USEC=12345678");
});

test("the unit of a process, by either kind of cgroup", () => {
  expect(unitOf("0::/system.slice/system-longhaul.slice/longhaul@hq.service\n")).toBe("longhaul@hq.service");
  expect(unitOf("12:cpu:/\n1:name=systemd:/system.slice/longhaul@hq.service/control\n")).toBe("longhaul@hq.service");
  expect(unitOf("0::/user.slice/user-1000.slice/session-1.scope\n")).toBeUndefined();
});

test("what systemctl tells of a unit's job", () => {
  const jobs = "1234 longhaul@berlin.service stop    waiting\n 77 longhaul@hq.service restart running\n";
  expect(jobOf(jobs, "longhaul@hq.service")).toBe("restart");
  expect(jobOf(jobs, "longhaul@berlin.service")).toBe("stop");
  expect(jobOf("", "longhaul@hq.service")).toBeUndefined();
});
