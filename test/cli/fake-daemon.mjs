// Stands in for dist/daemon/daemon.js. FAKE_DAEMON says what to do, FAKE_REPORT is the file to tell the facts to.

import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { startUapiServer } from "../uapi/server.js";

export async function runDaemon(options) {
  const report = process.env.FAKE_REPORT;
  if (report !== undefined) {
    writeFileSync(report, JSON.stringify(facts(options)));
  }
  switch (process.env.FAKE_DAEMON) {
    case "fail":
      throw new Error("open /dev/net/tun: EPERM (operation not permitted): run as root");
    case "crash":
      process.kill(process.pid, "SIGKILL");
      return new Promise(() => {});
    case "leave":
      return 0;
    case "never-ready":
      return untilTerminated();
    case "talk":
      process.stderr.write("a line of log\n");
      options.onReady();
      return untilTerminated();
    case "serve":
      await serve(options);
      options.onReady();
      return untilTerminated();
    default:
      options.onReady();
      return untilTerminated();
  }
}

function serve(options) {
  return startUapiServer({
    interfaceName: options.interfaceName,
    directory: process.env.FAKE_DIRECTORY,
    fd: options.uapiFd,
    handler: { get: () => ({ privateKey: undefined, listenPort: 4242, fwmark: 0, peers: [] }), set: () => {} },
    log: { debug: () => {}, error: () => {} },
    onVanished: () => process.kill(process.pid, "SIGTERM"),
  });
}

function untilTerminated() {
  return new Promise((resolve) => {
    const keepAlive = setInterval(() => {}, 1000);
    process.once("SIGTERM", () => {
      clearInterval(keepAlive);
      resolve(0);
    });
  });
}

function facts({ onReady: _, ...options }) {
  const target = (fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return undefined;
    }
  };
  return {
    options,
    pid: process.pid,
    session: Number(
      readFileSync("/proc/self/stat", "utf8")
        .replace(/^.*\) /, "")
        .split(" ")[3],
    ),
    cwd: process.cwd(),
    umask: process.umask(),
    title: process.title,
    tunTarget: target(options.tunFd),
    stdio: [0, 1, 2].map(target),
    holdsLoop: process.getActiveResourcesInfo().includes("Timeout"),
    inotify: readdirSync("/proc/self/fd").length,
  };
}
