// Machines made of Linux namespaces, for the demo, the tests and the benchmarks: each host has its own network, its
// own /run (so its own /var/run/wireguard) and its own /var/lib, and nothing of it has a name outside. Nothing here outlives the lab.
import { readdirSync, readlinkSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { CommandError, type CommandOptions, type CommandResult, Program, runCommand, tryCommand } from "./command.js";
import { Guard } from "./guard.js";

// The holder keeps the namespaces. It waits for "go", which comes once the guard knows the namespace: a lab that dies
// in between leaves no holder behind.
const HOLDER = `
mount -t tmpfs -o mode=755 lab /run || exit
mount -t tmpfs -o mode=755 lab /var/lib || exit
[ -L /var/run ] || mount -t tmpfs -o mode=755 lab /var/run || exit
for knob in all default; do echo 0 >/proc/sys/net/ipv6/conf/$knob/accept_dad; done 2>/dev/null
ip link set lo up || exit
echo ready
read -r go || exit
exec sleep infinity >/dev/null 2>&1
`;

/** One machine of a lab. Commands run inside it as ordinary children of this process. */
export class Host {
  readonly name: string;
  /** Pid of the process that keeps the namespaces; also their address for `nsenter` and `ip link … netns`. */
  readonly pid: number;
  readonly namespace: string;

  constructor(name: string, pid: number) {
    this.name = name;
    this.pid = pid;
    this.namespace = readlinkSync(`/proc/${pid}/ns/net`);
  }

  /** The command line that runs `argv` on this host. Paths are absolute: the working directory is /. */
  enter(argv: readonly string[]): string[] {
    // --root: where we run in a chroot, the mount namespace alone would lead out of it
    return ["nsenter", "--target", String(this.pid), "--net", "--mount", "--root", "--", ...argv];
  }

  /** Where this host's `path` is seen from outside. */
  path(path: string): string {
    return `/proc/${this.pid}/root${path}`;
  }

  /** Writes a file, readable by root alone. */
  writeFile(path: string, content: string | Uint8Array): Promise<void> {
    return writeFile(this.path(path), content, { mode: 0o600 });
  }

  /** Runs a program to its end. @returns its standard output. Errors: CommandError unless it exits with 0. */
  run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    return runCommand(this.enter(argv), options);
  }

  /** Runs a program to its end, whatever its exit status. */
  try(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return tryCommand(this.enter(argv), options);
  }

  /** Starts a program and returns at once. */
  start(argv: readonly string[], options: CommandOptions = {}): Program {
    return new Program(this.enter(argv), options);
  }

  /** Runs lines of ip(8) commands, without the leading `ip`. */
  async ip(...commands: string[]): Promise<void> {
    await this.run(["ip", "-batch", "-"], { input: `${commands.join("\n")}\n` });
  }

  /** Writes `value` to /proc/sys/net/`knob`. */
  async sysctl(knob: string, value: string | number): Promise<void> {
    await this.run(["sh", "-c", 'echo "$0" >"/proc/sys/net/$1"', String(value), knob]);
  }

  /** Makes it route between its interfaces, both families. */
  async enableForwarding(): Promise<void> {
    await this.sysctl("ipv4/ip_forward", 1);
    await this.sysctl("ipv6/conf/all/forwarding", 1);
  }

  /** Whether some program has bound UDP `port`, either family: a daemon binds it only after its interface is up. */
  async listensOnUdp(port: number): Promise<boolean> {
    const sockets = await this.run(["cat", "/proc/net/udp", "/proc/net/udp6"]);
    return sockets.includes(`:${port.toString(16).toUpperCase().padStart(4, "0")} `);
  }

  /** Pids on this host, without the holder. */
  processes(): number[] {
    return members([this.namespace]).filter((pid) => pid !== this.pid);
  }
}

/** One end of a cable. */
export interface LinkEnd {
  readonly host: Host;
  /** Interface name. */
  readonly name: string;
  /** With prefix length: `192.0.2.1/24`, `2001:db8::1/64`. */
  readonly addresses: readonly string[];
}

/** A set of hosts and the cables between them. */
export class Lab {
  readonly hosts: Host[] = [];
  readonly #guard = new Guard();
  readonly #holders: Program[] = [];
  #closing: Promise<void> | undefined;

  /** Pid whose SIGTERM takes the lab down, also after keep(). */
  get guardPid(): number {
    return this.#guard.pid;
  }

  /** Adds a host that has only a loopback. Errors: CommandError when namespaces are not allowed here. */
  async addHost(name: string): Promise<Host> {
    const holder = new Program(["unshare", "--mount", "--net", "--", "sh", "-c", HOLDER]);
    await holder.waitForOutput(/^ready$/m);
    const inode = statSync(`/proc/${holder.child.pid}/ns/net`).ino;
    if (this.#closing !== undefined) {
      holder.child.kill("SIGKILL");
      throw new CommandError(holder.argv, "the lab is being taken down", {
        status: null,
        signal: null,
        stdout: "",
        stderr: "",
      });
    }
    this.#guard.hold(inode, holder.child.pid!);
    this.#holders.push(holder);
    holder.child.stdin!.end("go\n");
    holder.child.unref();
    const host = new Host(name, holder.child.pid!);
    this.hosts.push(host);
    return host;
  }

  /**
   * Joins two hosts by a veth pair, addressed and up. IPv6 addresses are usable at once.
   * @param mtu  bytes, 68–65,535
   */
  async connect(left: LinkEnd, right: LinkEnd, mtu = 1_500): Promise<void> {
    await left.host.ip(
      `link add ${left.name} mtu ${mtu} type veth peer name ${right.name} mtu ${mtu} netns ${right.host.pid}`,
    );
    // Both ends up before any address: neighbour discovery stays mute for a second on a link that comes up later.
    for (const end of [left, right]) await end.host.ip(`link set ${end.name} up`);
    for (const end of [left, right]) {
      await end.host.ip(...end.addresses.map((address) => `address add ${address} dev ${end.name} ${nodad(address)}`));
    }
  }

  /**
   * Ends every process of every host, politely first, and with them the namespaces. Safe to call twice.
   * Errors: throws when a process does not end even by SIGKILL.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Leaves everything running when this process ends. */
  async keep(): Promise<void> {
    await this.#guard.keep();
  }

  async #close(): Promise<void> {
    const programs = (): number[] => this.hosts.flatMap((host) => host.processes());
    signalAll(programs(), "SIGTERM");
    for (let i = 0; i < 40 && programs().length > 0; i++) await sleep(50);
    for (let i = 0; i < 100 && programs().length > 0; i++) {
      signalAll(programs(), "SIGKILL");
      await sleep(20);
    }
    const left = programs();
    // Holders last: without them the kernel may give a namespace's number to one of somebody else's.
    await Promise.all(this.#holders.map((holder) => holder.stop("SIGKILL")));
    this.#guard.release();
    if (left.length > 0) throw new Error(`processes of the lab do not end: ${left.join(" ")}`);
  }
}

/** Duplicate address detection takes a second that no test has. */
function nodad(address: string): string {
  return address.includes(":") ? "nodad" : "";
}

/** Pids of the processes in any of these network namespaces. */
function members(namespaces: readonly string[]): number[] {
  const pids: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    try {
      if (namespaces.includes(readlinkSync(`/proc/${name}/ns/net`))) pids.push(Number(name));
    } catch {
      // it has ended, or it is not ours to look at
    }
  }
  return pids;
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // it has ended meanwhile
    }
  }
}
