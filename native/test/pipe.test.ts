// The whole package at work: two gateways with TUN, AEAD and UDP in this process, the kernel's TCP through both.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Aead, createAead } from "../aead.js";
import { HeaderCell, PacketBatch, RunKind } from "../packet-batch.js";
import { Poller } from "../poller.js";
import { openTun, type Tun, TunStat } from "../tun.js";
import { openUdp, RECEIVE_STRETCH_BYTES, type UdpSocket, UdpStat } from "../udp.js";
import { canUseDevices, ip, Namespace } from "./namespaces.js";
import { endpointTable } from "./udp-table.js";

const PORT = 5000;
const TUN_READABLE = 1;
const UDP_READABLE = 2;

/** One end: everything it reads is sealed with the one key and sent to the one peer, and the other way round. */
class Gateway {
  readonly tun: Tun;
  readonly udp: UdpSocket;
  readonly #poller: Poller;
  readonly #aead: Aead;
  readonly #out: PacketBatch;
  readonly #in = new PacketBatch({ slots: 1024, runs: 1024, endpoints: 16, arenaBytes: 16 * RECEIVE_STRETCH_BYTES });
  #counter = 0;
  malformed = 0;
  forged = 0;

  constructor(mtu: number, peer: string, offloads: boolean, slots: number) {
    this.#out = new PacketBatch({ slots, runs: slots, endpoints: 0, arenaBytes: 1 << 20 });
    this.tun = openTun({ name: "wg0", vnetHeader: offloads });
    this.tun.setMtu(mtu);
    this.udp = openUdp({ family: 4, port: PORT, offloads, receiveBufferBytes: 8 << 20, sendBufferBytes: 8 << 20 });
    this.udp.attachEndpoints(endpointTable({ address: peer, port: PORT }));
    this.#aead = createAead({ keySlots: 1 });
    this.#aead.setKey(0, new Uint8Array(32).fill(42));
    this.#out.header[HeaderCell.PadLimit] = mtu;
    this.#poller = new Poller((mask) => {
      if (mask & TUN_READABLE) this.#outbound();
      if (mask & UDP_READABLE) this.#inbound();
    });
    this.#poller.add(this.tun.fd, TUN_READABLE);
    this.#poller.add(this.udp.fd, UDP_READABLE);
  }

  #outbound(): void {
    const batch = this.#out;
    batch.clear();
    if (this.tun.readBatch(batch) < 0) return;
    for (let run = 0; run < (batch.header[HeaderCell.RunCount] as number); run++) {
      batch.runKey[run] = 0;
      batch.runReceiver[run] = 1;
      batch.runEndpoint[run] = 0;
      batch.runCounter[run] = this.#counter;
      this.#counter += batch.runCount[run] as number;
    }
    this.#aead.seal(batch);
    this.udp.sendBatch(batch);
  }

  #inbound(): void {
    const batch = this.#in;
    batch.clear();
    if (this.udp.receiveBatch(batch) < 0) return;
    for (let run = 0; run < (batch.header[HeaderCell.RunCount] as number); run++) {
      if (batch.runKind[run] === RunKind.Data) batch.runKey[run] = 0;
      else this.malformed++;
    }
    this.#aead.open(batch);
    for (let slot = 0; slot < (batch.header[HeaderCell.PacketCount] as number); slot++) {
      if (batch.packetStatus[slot] !== 0) this.forged++;
      const at = batch.packetOffset[slot] as number;
      const inner = ((batch.arena[at + 2] as number) << 8) | (batch.arena[at + 3] as number);
      const inner6 = (((batch.arena[at + 4] as number) << 8) | (batch.arena[at + 5] as number)) + 40;
      batch.packetLength[slot] = (batch.arena[at] as number) >> 4 === 4 ? inner : inner6;
    }
    this.tun.writeBatch(batch);
  }

  close(): void {
    this.#poller.close();
    this.tun.close();
    this.udp.close();
    this.#aead.close();
  }
}

const server = `
  const hash = require("crypto").createHash("sha256");
  require("net").createServer((socket) => {
    socket.on("data", (data) => hash.update(data));
    socket.on("end", () => { process.stdout.write(hash.digest("hex")); process.exit(0); });
  }).listen(7000, "::", () => process.stderr.write("listening"));`;
const client = (address: string, bytes: number) => `
  const data = require("crypto").randomBytes(${bytes});
  process.stdout.write(require("crypto").createHash("sha256").update(data).digest("hex"));
  require("net").connect(7000, "${address}").end(data);`;

async function output(child: ReturnType<typeof spawn>): Promise<string> {
  let text = "";
  child.stdout?.on("data", (data) => {
    text += data;
  });
  await once(child, "close");
  return text;
}

/** Sends `bytes` over TCP from one namespace to an address in the other. @returns both ends' SHA-256. */
async function transfer(from: Namespace, to: Namespace, address: string, bytes: number): Promise<[string, string]> {
  const node = (where: Namespace, script: string) =>
    where.within(() => spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "pipe"] }));
  const receiving = node(to, server);
  const received = output(receiving);
  await once(receiving.stderr as NodeJS.ReadableStream, "data");
  const sent = output(node(from, client(address, bytes)));
  return Promise.all([sent, received]);
}

describe.runIf(canUseDevices).each([
  { name: "with offloads", mtu: 1420, offloads: true, slots: 1024, bytes: 30_000_000 },
  { name: "with offloads and a large MTU", mtu: 34_000, offloads: true, slots: 1024, bytes: 30_000_000 },
  { name: "with offloads and the smallest MTU", mtu: 1280, offloads: true, slots: 1024, bytes: 10_000_000 },
  // 188 packets a super-packet: the second fits no longer, and is held for the next batch.
  { name: "with offloads and a tiny MTU", mtu: 400, offloads: true, slots: 320, bytes: 10_000_000 },
  { name: "without offloads", mtu: 1420, offloads: false, slots: 1024, bytes: 3_000_000 },
])("TCP through two gateways $name", ({ mtu, offloads, slots, bytes }) => {
  const home = canUseDevices ? Namespace.current() : undefined;
  const sites: Namespace[] = [];
  const gateways: Gateway[] = [];

  beforeAll(() => {
    sites.push(Namespace.create(), Namespace.create());
    const [left, right] = sites as [Namespace, Namespace];
    left.within(() => {
      ip("link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", right.path);
    });
    sites.forEach((site, i) => {
      site.within(() => {
        ip("addr", "add", `192.168.7.${i + 1}/24`, "dev", "v0");
        ip("link", "set", "v0", "up");
        const gateway = new Gateway(mtu, `192.168.7.${2 - i}`, offloads, slots);
        gateways.push(gateway);
        ip("addr", "add", `10.7.0.${i + 1}/24`, "dev", "wg0");
        if (mtu >= 1280) ip("-6", "addr", "add", `fd07::${i + 1}/64`, "dev", "wg0", "nodad");
        gateway.tun.setUp(true);
      });
    });
  });

  afterAll(() => {
    for (const gateway of gateways) gateway.close();
    for (const site of sites) site.close();
    home?.close();
  });

  test.each(mtu >= 1280 ? ["10.7.0.2", "fd07::2"] : ["10.7.0.2"])("to %s arrives whole", async (address) => {
    const [left, right] = sites as [Namespace, Namespace];
    const [sent, received] = await transfer(left, right, address, bytes);
    expect(received).toHaveLength(64);
    expect(received).toBe(sent);
  });

  test("back to 10.7.0.1 arrives whole", async () => {
    const [left, right] = sites as [Namespace, Namespace];
    const [sent, received] = await transfer(right, left, "10.7.0.1", bytes);
    expect(received).toHaveLength(64);
    expect(received).toBe(sent);
  });

  test("and every packet is accounted for", async () => {
    // What one side sent, the other received; what it opened, the kernel took.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const [left, right] = gateways as [Gateway, Gateway];
    for (const [from, to] of [
      [left, right],
      [right, left],
    ] as const) {
      const segments = from.tun.stats[TunStat.Segments];
      expect(from.udp.stats[UdpStat.SendDatagrams]).toBe(segments);
      expect(to.udp.stats[UdpStat.ReceiveDatagrams]).toBe(segments);
      expect(to.tun.stats[TunStat.WrittenPackets]).toBe(segments);
      expect([to.malformed, to.forged, to.tun.stats[TunStat.WriteFailures]]).toEqual([0, 0, 0]);
      expect([from.tun.stats[TunStat.Malformed], from.tun.stats[TunStat.TooLarge]]).toEqual([0, 0]);
    }
    const merged = left.tun.stats[TunStat.SuperPackets] as number;
    if (offloads) expect(merged).toBeGreaterThan(0);
    else expect(merged).toBe(0);
    if (offloads) expect(right.tun.stats[TunStat.CoalescedWrites]).toBeGreaterThan(0);
  });
});
