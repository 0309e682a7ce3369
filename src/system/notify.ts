// What systemd and a service say to each other: messages, and the environment that a service is started with. Text only; nothing is
// sent here. Sources: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3).

/** What this process was given. */
export interface ServiceEnvironment {
  /** Where messages go: a path, or `@` and an abstract name. */
  readonly notifySocket: string;
  /** Descriptors by the name they were stored under. */
  readonly stored: readonly StoredDescriptor[];
  /** The service is restarted when it is silent for longer; undefined: it may be silent. */
  readonly watchdogMs: number | undefined;
}

export interface StoredDescriptor {
  readonly name: string;
  readonly fd: number;
}

const FIRST_STORED_FD = 3;
const STORED_FDS_MAX = 64;
const VARIABLES =
  /^(NOTIFY_SOCKET|WATCHDOG_PID|WATCHDOG_USEC|LISTEN_PID|LISTEN_FDS|LISTEN_FDNAMES|LISTEN_PIDFDID|FDSTORE)$/;

/**
 * Takes what is for this process out of its environment, so that no child takes it for its own.
 * @returns undefined: no manager, or one that this process cannot speak to
 */
export function takeServiceEnvironment(env: NodeJS.ProcessEnv, pid: number): ServiceEnvironment | undefined {
  const given = { ...env };
  for (const name of Object.keys(given)) if (VARIABLES.test(name)) delete env[name];
  const notifySocket = given["NOTIFY_SOCKET"] ?? "";
  if (!/^[/@]./.test(notifySocket)) return undefined;
  return { notifySocket, stored: storedDescriptors(given, pid), watchdogMs: watchdogMs(given, pid) };
}

function storedDescriptors(env: NodeJS.ProcessEnv, pid: number): StoredDescriptor[] {
  if (env["LISTEN_PID"] !== String(pid)) return [];
  const count = Number(env["LISTEN_FDS"] ?? "0");
  if (!Number.isInteger(count) || count < 1 || count > STORED_FDS_MAX) return [];
  const names = (env["LISTEN_FDNAMES"] ?? "").split(":");
  return Array.from({ length: count }, (_, i) => ({ name: names[i] ?? "", fd: FIRST_STORED_FD + i }));
}

function watchdogMs(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const usec = Number(env["WATCHDOG_USEC"] ?? "0");
  const isOurs = (env["WATCHDOG_PID"] ?? String(pid)) === String(pid);
  return isOurs && usec >= 1_000 && Number.isSafeInteger(usec) ? usec / 1_000 : undefined;
}

/** One line a message may hold; a newline in it would be the next assignment. */
const statusLine = (status: string): string => `STATUS=${status.replace(/\s+/g, " ").slice(0, 500)}`;

export const notifyMessages = {
  ready: (status: string): string => `READY=1\n${statusLine(status)}`,
  status: (status: string): string => statusLine(status),
  /** @param monotonicMs  CLOCK_MONOTONIC: the manager tells an answer to its request from an older one by it */
  reloading: (monotonicMs: number): string => `RELOADING=1\nMONOTONIC_USEC=${Math.floor(monotonicMs * 1_000)}`,
  stopping: (): string => "STOPPING=1\nSTATUS=going down",
  alive: (): string => "WATCHDOG=1",
  /** Its descriptors go with it. FDPOLL=0: the manager keeps them also when they report an error or a hangup. */
  store: (name: string): string => `FDSTORE=1\nFDNAME=${name}\nFDPOLL=0`,
  forget: (name: string): string => `FDSTOREREMOVE=1\nFDNAME=${name}`,
} as const;

/**
 * @param cgroup  content of /proc/self/cgroup
 * @returns the unit that this process belongs to: `longhaul@hq.service`
 */
export function unitOf(cgroup: string): string | undefined {
  const path = /^0::(.*)$/m.exec(cgroup)?.[1] ?? /^\d+:name=systemd:(.*)$/m.exec(cgroup)?.[1];
  return path?.split("/").findLast((part) => part.endsWith(".service"));
}

/**
 * @param jobs  output of `systemctl list-jobs --plain --no-legend`
 * @returns what is under way with a unit: `restart`, `stop`, …; undefined: nothing
 */
export function jobOf(jobs: string, unit: string): string | undefined {
  for (const line of jobs.split("\n")) {
    const [, name, type] = line.trim().split(/\s+/);
    if (name === unit) return type;
  }
  return undefined;
}
