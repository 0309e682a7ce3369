// A service under systemd: says when it is ready, reloading, alive and ending, and leaves its interface and sockets with the manager, so
// that the next run goes on with them. Without systemd there is noServiceManager. docs/service.md tells the whole story.
// The interface's descriptors are stored while it runs, so that it survives a crash. The sockets' only when a restart begins: a
// second owner of a bound port would be in the way of whoever changes the port or takes the interface down and up.

import { closeSync, fstatSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { monotonicMs } from "../io/entropy.js";
import { keepFromChildren, notifyManager } from "../io/notify-socket.js";
import {
  jobOf,
  notifyMessages,
  type ServiceEnvironment,
  type StoredDescriptor,
  takeServiceEnvironment,
  unitOf,
} from "../system/notify.js";
import { runProgram } from "../system/program.js";
import { controlPath } from "./control-server.js";
import type { Gateway } from "./gateway.js";
import { Handover } from "./handover.js";
import { type InheritedDescriptors, noServiceManager, type ServiceManager } from "./service-manager.js";
import { StatusLine } from "./status-line.js";

const TUN = "tun";
const UDP = "udp";
const TICK_MS = 5_000;
/** Signs of life in the time after which the manager gives up. */
const SIGNS_OF_LIFE = 3;
const SYSTEMCTL_TIMEOUT_MS = 5_000;
const SYSTEMCTL_ATTEMPTS = 3;
const SYSTEMCTL_PAUSE_MS = 100;

/** @param env  what is for this process alone is taken out of it */
export function findServiceManager(env: NodeJS.ProcessEnv, interfaceName: string): ServiceManager {
  const environment = takeServiceEnvironment(env, process.pid);
  return environment === undefined ? noServiceManager : new Systemd(environment, interfaceName);
}

class Systemd implements ServiceManager {
  readonly #environment: ServiceEnvironment;
  readonly #interfaceName: string;
  readonly #handover: Handover;
  readonly #timers: NodeJS.Timeout[] = [];
  #gateway: Gateway | undefined;
  #status = new StatusLine();
  #toldStatus = "";
  #inherits = false;

  constructor(environment: ServiceEnvironment, interfaceName: string) {
    this.#environment = environment;
    this.#interfaceName = interfaceName;
    this.#handover = new Handover(controlPath(interfaceName).replace(/\.sock$/, ".peers"));
  }

  inherited(): InheritedDescriptors {
    const { stored } = this.#environment;
    for (const { fd } of stored) keepFromChildren(fd);
    const tunFds = fdsOf(stored, TUN).filter((fd) => interfaceOf(fd) === this.#interfaceName);
    const udpFds = fdsOf(stored, UDP);
    const taken = new Set([...tunFds, ...udpFds]);
    for (const { fd } of stored) if (!taken.has(fd)) closeSync(fd);
    // From here on the sockets are this process's alone.
    if (udpFds.length > 0) this.#say(notifyMessages.forget(UDP));
    if (tunFds.length === 0 && stored.length > 0) this.#say(notifyMessages.forget(TUN));
    this.#inherits = tunFds.length > 0;
    return { tunFds, udpFds };
  }

  async started(gateway: Gateway): Promise<void> {
    this.#gateway = gateway;
    if (this.#inherits) await this.#handover.resume(gateway);
  }

  ready(): void {
    const { watchdogMs, stored } = this.#environment;
    const { tun } = this.#descriptors();
    if (!this.#inherits || tun.length !== fdsOf(stored, TUN).length) {
      this.#say(notifyMessages.forget(TUN));
      this.#say(notifyMessages.store(TUN), tun);
    }
    this.#toldStatus = this.#statusNow();
    this.#say(notifyMessages.ready(this.#toldStatus));
    this.#timers.push(setInterval(() => this.#tick(), TICK_MS));
    if (watchdogMs !== undefined) {
      this.#timers.push(setInterval(() => this.#say(notifyMessages.alive()), watchdogMs / SIGNS_OF_LIFE));
    }
  }

  reloading(): void {
    this.#say(notifyMessages.reloading(monotonicMs()));
  }

  reloaded(problem: string | undefined): void {
    this.#toldStatus = problem === undefined ? this.#statusNow() : `reload refused, nothing changed: ${problem}`;
    this.#say(notifyMessages.ready(this.#toldStatus));
  }

  stopping(): void {
    this.#say(notifyMessages.stopping());
  }

  async keepsInterface(): Promise<boolean> {
    if (this.#gateway === undefined || !(await isRestart())) return false;
    await this.#note();
    this.#say(notifyMessages.store(UDP), this.#descriptors().udp);
    this.#end();
    return true;
  }

  released(): void {
    this.#end();
    this.#say(notifyMessages.forget(TUN));
    this.#say(notifyMessages.forget(UDP));
    this.#handover.forget();
  }

  #end(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #tick(): void {
    void this.#note();
    const status = this.#statusNow();
    if (status === this.#toldStatus) return;
    this.#toldStatus = status;
    this.#say(notifyMessages.status(status));
  }

  async #note(): Promise<void> {
    if (this.#gateway === undefined) return;
    try {
      await this.#handover.note(this.#gateway);
    } catch {
      // Costs the next run a few seconds of silence from peers that have moved.
    }
  }

  #statusNow(): string {
    return this.#gateway === undefined ? "" : this.#status.of(this.#gateway, monotonicMs());
  }

  #descriptors(): Gateway["descriptors"] {
    return this.#gateway?.descriptors ?? { tun: [], udp: [] };
  }

  /** A manager that does not listen is no reason to let go of a tunnel. */
  #say(text: string, fds?: readonly number[]): void {
    try {
      notifyManager(this.#environment.notifySocket, text, fds);
    } catch {
      // It notices the silence by its own watchdog.
    }
  }
}

const fdsOf = (stored: readonly StoredDescriptor[], name: string): number[] =>
  stored.filter((one) => one.name === name && isOpen(one.fd)).map(({ fd }) => fd);

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

/** @returns the interface that a TUN descriptor is attached to; "" when that was deleted. Source: proc(5), fdinfo. */
function interfaceOf(fd: number): string {
  return /^iff:\s*(\S*)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "";
}

/** Whether systemd ends this run to begin another. Where it cannot be asked, the answer is no: then nothing stays behind. */
async function isRestart(): Promise<boolean> {
  try {
    const unit = unitOf(readFileSync("/proc/self/cgroup", "utf8"));
    if (unit === undefined) return false;
    const listing = ["systemctl", "list-jobs", "--full", "--plain", "--no-legend", "--no-pager"];
    for (let attempt = 1; attempt <= SYSTEMCTL_ATTEMPTS; attempt++) {
      const { status, stdout } = await runProgram(listing, { timeoutMs: SYSTEMCTL_TIMEOUT_MS });
      const job = status === 0 ? jobOf(stdout, unit) : undefined;
      if (job !== undefined) return job === "restart";
      await sleep(SYSTEMCTL_PAUSE_MS); //  a machine under load may answer late or not at all; after a kill(1) there is no job
    }
    return false;
  } catch {
    return false;
  }
}
