import { spawnSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { closeSync, constants, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { addon } from "../addon.js";
import { adviceFor, Errno, errnoCode, SystemCallError } from "../errors.js";
import { HEADROOM_BYTES, HeaderCell, PacketBatch, RunKind } from "../packet-batch.js";
import { LINK_CELLS, LinkCell, openTun, type Tun, type TunOptions, TunStat, tunAdvice } from "../tun.js";
import { asNobody, canUseDevices, ip, Namespace, until } from "./namespaces.js";
import { addresses, turnRound } from "./packets.js";

const open: Tun[] = [];
const sockets: Socket[] = [];

function tun(options: TunOptions = {}): Tun {
  const made = openTun(options);
  open.push(made);
  return made;
}

afterEach(() => {
  for (const made of open.splice(0)) made.close();
  for (const socket of sockets.splice(0)) socket.close();
});

/** The error that `body` throws. */
function failure(body: () => unknown): SystemCallError {
  try {
    body();
  } catch (error) {
    expect(error).toBeInstanceOf(SystemCallError);
    return error as SystemCallError;
  }
  throw new Error("nothing was thrown");
}

/** A device with 10.1.0.1/24, up, silent, and a kernel UDP socket that talks through it. */
async function linked(options: TunOptions = {}): Promise<{ device: Tun; socket: Socket; port: number }> {
  const device = tun(options);
  ip("addr", "add", "10.1.0.1/24", "dev", device.name);
  device.setMtu(1400);
  device.setUp(true);
  const socket = createSocket("udp4");
  sockets.push(socket);
  socket.bind(0, "10.1.0.1");
  await once(socket, "listening");
  return { device, socket, port: socket.address().port };
}

function send(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(bytes, 9999, "10.1.0.2", (error) => (error ? reject(error) : resolve()));
  });
}

/** Reads until a packet from 10.1.0.1 to 10.1.0.2 comes; the kernel says hello in IPv6 first. */
async function readOurs(device: Tun, into: Uint8Array): Promise<number> {
  let length = 0;
  await until("a packet on the TUN", () => {
    length = device.readPacket(into);
    return length > 0 && addresses(into) === "10.1.0.1 > 10.1.0.2";
  });
  return length;
}

/** A command line that runs another as nobody, with a /dev/net of its own that `prepare` filled. */
function hiddenDevice(prepare: string): string[] {
  const script = `mount -t tmpfs none /dev/net && ${prepare} && exec "$@"`;
  return ["unshare", "--mount", "sh", "-c", script, "sh", ...asNobody];
}

describe.runIf(canUseDevices)("a TUN device", () => {
  test("opens by name, by pattern and without a name", () => {
    expect(tun({ name: "byname" }).name).toBe("byname");
    expect(tun({ name: "pat%d" }).name).toBe("pat0");
    expect(tun({ name: "pat%d" }).name).toBe("pat1");
    expect(tun().name).toMatch(/^tun\d+$/);
  });

  test("reports what it is", () => {
    const device = tun({ name: "what0" });
    expect(device).toMatchObject({ mode: "tun", vnetHeader: true });
    expect(device.offloads.tso).toBe(true);
    expect(device.fd).toBeGreaterThan(2);
    expect(device.isUp()).toBe(false);
    device.setUp(true);
    device.setMtu(9000);
    device.setTxQueueLength(77);
    const shown = ip("link", "show", "what0");
    expect(shown).toMatch(/mtu 9000 .*qlen 77/);
    expect(shown).toMatch(/[<,]UP[,>]/);
    expect([device.isUp(), device.mtu()]).toEqual([true, 9000]);
    expect(shown.startsWith(`${device.ifindex()}:`)).toBe(true);
    expect(failure(() => device.setMtu(20))).toMatchObject({ syscall: "ioctl(SIOCSIFMTU)", code: "EINVAL" });
  });

  test("names what is wrong with a name", () => {
    const taken = tun({ name: "taken0" });
    expect(failure(() => tun({ name: taken.name })).message).toBe(
      "ioctl(TUNSETIFF): EBUSY (resource busy or locked): another program has taken0 open: stop it, or choose another name",
    );
    expect(failure(() => tun({ name: "lo" })).message).toMatch(/EINVAL.*lo is not a valid name, or exists/);
    expect(failure(() => tun({ name: "exactly16bytes!!" }))).toMatchObject({ code: "ENAMETOOLONG" });
    for (const name of ["a/b", "a b", ".", "..", "a:b", "two%d%d"]) {
      expect(
        failure(() => tun({ name })),
        name,
      ).toMatchObject({ code: "EINVAL", syscall: "ioctl(TUNSETIFF)" });
    }
  });

  test("attaches to a persistent device, which outlives it", () => {
    tun({ name: "stay0", persist: true }).close();
    expect(ip("link", "show", "stay0")).toContain("stay0");
    const again = tun({ name: "stay0" });
    again.setPersist(false);
    again.close();
    expect(() => ip("link", "show", "stay0")).toThrow(/does not exist/);
  });

  test("with several queues is nobody else's", () => {
    const device = tun({ queues: 8 });
    expect(new Set(device.fds).size).toBe(8);
    expect(device.fd).toBe(device.fds[0]);
    expect(failure(() => tun({ name: device.name })).message).toContain("is of another kind");
    expect(failure(() => tun({ name: device.name, queues: 8 })).code).toBe("EBUSY");
  });

  test("that was there before has the one queue it was made with", () => {
    ip("tuntap", "add", "mode", "tun", "vnet_hdr", "name", "single0");
    expect(tun({ name: "single0", queues: 8 }).fds).toHaveLength(1);
  });

  test("takes over all queues of an interface, and makes no interface of two", () => {
    const first = tun({ name: "inherit1", queues: 8 });
    const stdio = ["ignore" as const, "pipe" as const, "inherit" as const];
    const passed = spawnSync(process.execPath, ["-e", inheritedQueuesChild], {
      stdio: [...stdio, ...first.fds],
      encoding: "utf8",
    });
    expect(passed.stdout).toBe("inherit1 queues=8 3,4,5,6,7,8,9,10");
    const second = tun({ name: "inherit2", queues: 2 });
    const mixed = failure(() => tun({ fds: [...first.fds.slice(0, 2), ...second.fds] }));
    expect(mixed).toMatchObject({ syscall: "inherited TUN queues", code: "EINVAL" });
    expect(failure(() => tun({ fds: [...first.fds, ...second.fds] })).code).toBe("E2BIG");
    expect(first.mtu()).toBe(1_500); //  nothing was closed
    expect(second.mtu()).toBe(1_500);
  });

  test("takes over an inherited descriptor, and refuses one that is not a TUN", () => {
    const first = tun({ name: "inherit0", vnetHeader: false });
    const copy = openSync(`/proc/self/fd/${first.fd}`, constants.O_RDWR);
    // A new open of /dev/net/tun is attached to nothing yet.
    expect(failure(() => tun({ fd: copy }))).toMatchObject({ syscall: "ioctl(TUNGETIFF)", code: "EBADFD" });
    closeSync(copy);
    const passed = spawnSync(process.execPath, ["-e", inheritedChild], {
      stdio: ["ignore", "pipe", "inherit", first.fd],
      encoding: "utf8",
    });
    expect(passed.stdout).toBe("inherit0 vnet=0");
    const file = openSync("/dev/null", "r");
    expect(failure(() => tun({ fd: file }))).toMatchObject({ syscall: "ioctl(TUNGETIFF)", code: "ENOTTY" });
    closeSync(file);
  });

  test("follows a rename, and a move to another namespace", () => {
    const device = tun({ name: "old0" });
    device.setMtu(1234);
    ip("link", "set", "old0", "name", "new0");
    expect([device.name, device.currentName(), device.mtu()]).toEqual(["old0", "new0", 1234]);
    const elsewhere = Namespace.create();
    ip("link", "set", "new0", "netns", elsewhere.path);
    // An impostor of the same name must not be taken for it.
    tun({ name: "new0" }).setMtu(999);
    const state = new Int32Array(LINK_CELLS);
    expect(device.linkState(state)).toBe(0);
    expect(state[LinkCell.Mtu]).toBe(1234);
    expect(state[LinkCell.Up]).toBe(0);
    device.setMtu(4321);
    device.setUp(true);
    expect(elsewhere.within(() => ip("link", "show", "new0"))).toMatch(/UP.* mtu 4321/);
    expect(device.linkState(state)).toBe(0);
    expect([state[LinkCell.Mtu], state[LinkCell.Up]]).toEqual([4321, 1]);
    elsewhere.close();
  });

  test("says that the interface is gone, to every call", () => {
    const device = tun({ name: "gone0" });
    device.setUp(true);
    ip("link", "del", "gone0");
    const batch = new PacketBatch({ slots: 256, runs: 256, endpoints: 0, arenaBytes: 1 << 18 });
    expect(device.readBatch(batch)).toBe(-Errno.EBADFD);
    expect(device.readPacket(new Uint8Array(2000))).toBe(-Errno.EBADFD);
    expect(device.writePacket(new Uint8Array(40).fill(0x45))).toBe(-Errno.EBADFD);
    expect(device.linkState(new Int32Array(LINK_CELLS))).toBe(-Errno.EBADFD);
    expect(failure(() => device.currentName()).message).toMatch(/EBADFD \(.*\): the interface is gone/);
  });

  test("a closed device answers -EBADF", () => {
    const device = tun();
    device.close();
    device.close();
    const batch = new PacketBatch({ slots: 256, runs: 256, endpoints: 0, arenaBytes: 1 << 18 });
    expect([device.readBatch(batch), device.writeBatch(batch)]).toEqual([-Errno.EBADF, -Errno.EBADF]);
    expect(failure(() => device.mtu())).toMatchObject({ syscall: "closed TUN", code: "EBADF" });
  });

  // Each in a child of its own: what it may not do, and the advice.
  test.each([
    [
      ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"],
      /^ioctl.*EPERM: .*refused0 needs CAP_NET_ADMIN/,
    ],
    [hiddenDevice("true"), /^open \/dev\/net\/tun ENOENT: load the module .modprobe tun/],
    [
      hiddenDevice("mknod -m 600 /dev/net/tun c 10 200"),
      /^open \/dev\/net\/tun EACCES: .*may not be opened by this user/,
    ],
    [hiddenDevice("mknod -m 666 /dev/net/tun c 10 201"), /^open \/dev\/net\/tun (ENXIO|ENODEV): load the module/],
  ])("with %j the error says what to do", (prefix, message) => {
    const script = `const a = require(${JSON.stringify(addonPath)});
      const r = a.tunOpen("refused0", 0, 1, 0, 1, new Int32Array(0), 0, new Float64Array(64));
      process.stdout.write(JSON.stringify([r, a.failedCall()]));`;
    const [program = "", ...args] = [...prefix, process.execPath, "-e", script];
    const child = spawnSync(program, args, { encoding: "utf8" });
    const [result, call] = JSON.parse(child.stdout) as [number, string];
    expect(`${call} ${errnoCode(-result)}: ${adviceFor(tunAdvice, call, -result, "refused0")}`).toMatch(message);
  });
});

const addonPath = fileURLToPath(new URL("../build/tun_tap.node", import.meta.url));
const inheritedQueuesChild = `const a = require(${JSON.stringify(addonPath)});
  const info = new Int32Array(13);
  const h = a.tunOpen("", 0, 1, 0, 8, Int32Array.of(3, 4, 5, 6, 7, 8, 9, 10), 8, new Float64Array(64));
  a.tunInfo(h, info);
  process.stdout.write(a.tunOpenedName(h) + " queues=" + info[0] + " " + info.subarray(5, 5 + info[0]));`;
const inheritedChild = `const a = require(${JSON.stringify(addonPath)});
  const info = new Int32Array(5);
  const h = a.tunOpen("", 0, 1, 0, 1, Int32Array.of(3), 1, new Float64Array(64));
  a.tunInfo(h, info);
  process.stdout.write(a.tunOpenedName(h) + " vnet=" + info[2]);`;

describe.runIf(canUseDevices)("packets one by one", () => {
  for (const vnetHeader of [true, false]) {
    test(`come and go, virtio header ${vnetHeader}`, async () => {
      const { device, socket } = await linked({ vnetHeader });
      const received = once(socket, "message");
      await send(socket, Buffer.from("ping through the tunnel"));
      const packet = new Uint8Array(2000);
      const length = await readOurs(device, packet);
      expect(length).toBe(20 + 8 + 23);
      turnRound(packet);
      expect(device.writePacket(packet.subarray(0, length))).toBe(length);
      const [message] = await received;
      expect(String(message)).toBe("ping through the tunnel");
    });
  }

  test("a buffer that is too small is an error, not a short packet", async () => {
    const { device, socket } = await linked();
    await send(socket, new Uint8Array(600));
    let result = 0;
    await until("the refusal", () => {
      result = device.readPacket(new Uint8Array(100));
      return result === -Errno.EMSGSIZE;
    });
    expect(device.readPacket(new Uint8Array(100))).toBe(-Errno.EAGAIN);
  });

  test("to an interface that is down fail with EIO", () => {
    expect(tun().writePacket(new Uint8Array(40).fill(0x45))).toBe(-Errno.EIO);
  });

  test("are Ethernet frames on a TAP", async () => {
    const device = tun({ name: "tap%d", mode: "tap" });
    expect(device).toMatchObject({
      name: "tap0",
      mode: "tap",
      vnetHeader: false,
      offloads: { tso: false, uso: false },
    });
    ip("link", "set", "tap0", "address", "02:00:00:00:00:01", "up");
    const frame = new Uint8Array(2000);
    // The kernel's own neighbour discovery: to an IPv6 multicast MAC.
    await until("a frame", () => device.readPacket(frame) > 14 && frame[12] === 0x86 && frame[13] === 0xdd);
    expect([frame[0], frame[1]]).toEqual([0x33, 0x33]);
    expect(Buffer.from(frame.subarray(6, 12)).toString("hex")).toBe("020000000001");
    const batch = new PacketBatch({ slots: 16, runs: 16, endpoints: 0, arenaBytes: 1 << 18 });
    await until("another in a batch", () => device.readBatch(batch) > 0);
    expect(device.writeBatch(batch)).toBe(0);
    batch.runKey[0] = 0;
    expect(batch.packetOffset[0]).toBe(HEADROOM_BYTES);
    expect(device.writeBatch(batch)).toBe(1);
  });
});

describe.runIf(canUseDevices)("packets in batches", () => {
  test.each([1, 8])("a burst comes back as it was, merged on the way in, queues: %i", async (queues) => {
    const { device, socket } = await linked({ queues });
    const batch = new PacketBatch({ slots: 1024, runs: 1024, endpoints: 0, arenaBytes: 1 << 20 });
    device.readBatch(batch);
    const got: string[] = [];
    socket.on("message", (message) => got.push(`${message.length} ${message[0]}`));
    const wanted: string[] = [];
    for (let i = 0; i < 40; i++) {
      await send(socket, new Uint8Array(500).fill(i));
      wanted.push(`500 ${i}`);
    }
    batch.clear();
    await until("40 packets", () => {
      device.readBatch(batch);
      return (batch.header[HeaderCell.PacketCount] as number) >= 40;
    });
    for (let run = 0; run < (batch.header[HeaderCell.RunCount] as number); run++) {
      expect(batch.runKind[run]).toBe(RunKind.Data);
      const slot = batch.runFirst[run] as number;
      const at = batch.packetOffset[slot] as number;
      const packet = batch.arena.subarray(at, at + (batch.packetLength[slot] as number));
      if ((packet[0] as number) >> 4 !== 4) continue;
      turnRound(packet);
      batch.runKey[run] = 0;
    }
    expect(device.writeBatch(batch)).toBe(40);
    await until("all back", () => got.length === 40);
    expect(got).toEqual(wanted);
    if (device.offloads.uso) expect(device.stats[TunStat.CoalescedWrites]).toBeGreaterThan(0);
    expect(device.stats[TunStat.WrittenPackets]).toBe(40);
    expect(device.stats[TunStat.WriteFailures]).toBe(0);
  });

  test("only packets of decided runs with status 0 are written; a refused one has its errno", async () => {
    const { device } = await linked();
    const batch = new PacketBatch({ slots: 8, runs: 8, endpoints: 0, arenaBytes: 4096 });
    const put = (run: number, kind: number, key: number, status: number, first: number): void => {
      batch.arena.fill(0, run * 64, run * 64 + 64);
      batch.arena[run * 64] = first;
      batch.packetOffset[run] = run * 64;
      batch.packetLength[run] = 40;
      batch.packetStatus[run] = status;
      batch.runFirst[run] = run;
      batch.runCount[run] = 1;
      batch.runKind[run] = kind;
      batch.runKey[run] = key;
    };
    put(0, RunKind.Data, -1, 0, 0x45);
    put(1, RunKind.Initiation, 0, 0, 0x45);
    put(2, RunKind.Data, 0, 5, 0x45);
    put(3, RunKind.Data, 0, 0, 0x45);
    put(4, RunKind.Data, 0, 0, 0x05); // no IP version: the kernel says EINVAL
    put(5, RunKind.Data, 0, 0, 0x45);
    batch.packetOffset[5] = 1 << 30;
    batch.header[HeaderCell.PacketCount] = 6;
    batch.header[HeaderCell.RunCount] = 6;
    expect(device.writeBatch(batch)).toBe(1);
    expect([...batch.packetStatus.subarray(0, 6)]).toEqual([0, 0, 5, 0, -Errno.EINVAL, -Errno.EINVAL]);
    expect(device.stats[TunStat.WrittenPackets]).toBe(1);
    device.setUp(false);
    put(3, RunKind.Data, 0, 0, 0x45);
    expect(device.writeBatch(batch)).toBe(0);
    expect(batch.packetStatus[3]).toBe(-Errno.EIO);
  });

  test("a full batch takes no more and loses nothing", async () => {
    const { device, socket } = await linked({ vnetHeader: false });
    const batch = new PacketBatch({ slots: 8, runs: 8, endpoints: 0, arenaBytes: 1 << 17 });
    while (device.readBatch(batch) !== -Errno.EAGAIN) batch.clear();
    batch.clear();
    for (let i = 0; i < 20; i++) await send(socket, new Uint8Array(100).fill(i));
    const seen: number[] = [];
    for (let turn = 0; turn < 100 && seen.length < 20; turn++) {
      batch.clear();
      if (device.readBatch(batch) < 0) continue;
      for (let slot = 0; slot < (batch.header[HeaderCell.PacketCount] as number); slot++) {
        const at = batch.packetOffset[slot] as number;
        if (batch.packetLength[slot] === 128) seen.push(batch.arena[at + 28] as number);
      }
      const full = batch.header[HeaderCell.PacketCount] === 8;
      expect(batch.header[HeaderCell.More]).toBe(Number(full));
      if (full) expect(device.readBatch(batch)).toBe(-Errno.ENOBUFS);
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });
});

test("misuse of raw handles is -EBADF, never a crash", () => {
  for (const handle of [-1, 99, 1.5, Number.NaN, "x" as unknown as number]) {
    expect(addon.tunReadBatch(handle, 0)).toBe(-Errno.EBADF);
    expect(addon.tunWritePacket(handle, new Uint8Array(1))).toBe(-Errno.EBADF);
    expect(addon.tunLinkState(handle, new Int32Array(3))).toBe(-Errno.EBADF);
  }
});
