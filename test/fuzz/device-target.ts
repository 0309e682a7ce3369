// The real protocol core between two devices: whatever an attacker on the path or a peer with a key may send. An input is a
// list of deeds: datagrams made up, recorded ones altered and played again, mac1 made right, and inner packets of any kind
// sealed with the right key.

import { createPrimitives, type Primitives } from "../../src/core/noise/primitives.js";
import { ipv4Packet, markOf, type SimNode, World } from "../sim/world.js";
import { FuzzRandom } from "./random.js";
import { type FuzzTarget, hold } from "./target.js";

const DEEDS_MAX = 24;
const LABEL_MAC1 = Buffer.from("mac1----");
const PEERS = 1;
const ALICE = Uint8Array.of(10, 0, 0, 1);

let primitives: Primitives | undefined;

/** Takes an input apart; past its end everything is zero. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isEmpty(): boolean {
    return this.#at >= this.#bytes.length;
  }

  u8(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  u16(): number {
    return this.u8() * 256 + this.u8();
  }

  take(length: number): Uint8Array {
    const piece = this.#bytes.slice(this.#at, this.#at + length);
    this.#at += length;
    return piece;
  }
}

class Attack {
  readonly #p: Primitives;
  readonly #world: World;
  readonly #alice: SimNode;
  readonly #bob: SimNode;
  readonly #in: Reader;
  /** Texts of the packets from alice's own address that were sealed, or given to her TUN. Only these may come out, once each. */
  readonly #rightful: string[] = [];

  constructor(p: Primitives, world: World, input: Reader) {
    this.#p = p;
    this.#world = world;
    [this.#alice, this.#bob] = world.pair();
    this.#in = input;
  }

  run(): void {
    this.#talk("hello");
    this.#world.run(10);
    for (let n = 0; n < DEEDS_MAX && !this.#in.isEmpty; n++) {
      this.#deed();
      this.#check();
    }
    // Whatever came, the two go on.
    const before = this.#bob.delivered.length;
    this.#world.run(200_000);
    this.#talk("still there");
    this.#world.run(20_000);
    hold(
      this.#bob.delivered.slice(before).some(({ mark }) => mark === "still there"),
      "the pair is silent afterwards",
    );
    this.#check();
  }

  #talk(mark: string): void {
    const packet = ipv4Packet("10.0.0.1", "10.0.0.2", mark);
    this.#note(packet);
    this.#alice.sendInnerRaw(packet);
  }

  #note(packet: Uint8Array): void {
    const isAlices = (packet[0] ?? 0) >> 4 === 4 && Buffer.compare(packet.subarray(12, 16), ALICE) === 0;
    if (isAlices) this.#rightful.push(markOf(packet));
  }

  #deed(): void {
    const kind = this.#in.u8();
    const from = kind & 0x80 ? "198.51.100.7:7" : this.#alice.address;
    switch (kind % 8) {
      case 0: // made up
        this.#bob.arrive(this.#in.take(this.#in.u8()), from, this.#in.u8());
        break;
      case 1: // of the right type and length, with the right mac1
        this.#bob.arrive(this.#withMac1(this.#typed()), from);
        break;
      case 2: // recorded, altered
        this.#bob.arrive(this.#altered(this.#recorded()), from);
        break;
      case 3: // recorded, altered behind the mac's back
        this.#bob.arrive(this.#withMac1(this.#altered(this.#recorded())), from);
        break;
      case 4: // of a peer that has the key
        this.#bob.arrive(this.#inner(this.#in.take(this.#in.u8())), from, this.#in.u8());
        break;
      case 5:
        this.#world.run(this.#in.u16() * 4);
        break;
      case 6: {
        // of the host, into the tunnel
        const packet = this.#in.take(1 + this.#in.u8());
        this.#note(packet);
        this.#alice.sendInnerRaw(packet);
        break;
      }
      default: {
        // Like a packet, of any length, from any address.
        const packet = ipv4Packet(
          `10.0.0.${this.#in.u8() & 3}`,
          "10.0.0.2",
          "x".repeat(this.#in.u8()),
          this.#in.u8() & 3,
        );
        for (let edits = this.#in.u8() & 3; edits > 0; edits--) packet[this.#in.u8() % 24] = this.#in.u8();
        this.#bob.arrive(this.#inner(packet), from, this.#in.u8());
      }
    }
  }

  #typed(): Uint8Array {
    const length = [148, 92, 64][this.#in.u8() % 3] as number;
    const bytes = new Uint8Array(length);
    bytes.set(this.#in.take(this.#in.u8()).subarray(0, length));
    bytes[0] = [148, 92, 64].indexOf(length) + 1;
    bytes.fill(0, 1, 4);
    return bytes;
  }

  #recorded(): Uint8Array {
    const { tapped } = this.#world;
    return (tapped[this.#in.u8() % tapped.length] as { bytes: Uint8Array }).bytes.slice();
  }

  #altered(bytes: Uint8Array): Uint8Array {
    for (let edits = this.#in.u8() & 7; edits > 0; edits--) bytes[this.#in.u8() % bytes.length] = this.#in.u8();
    return bytes;
  }

  /** Anybody who knows bob's public key can. */
  #withMac1(bytes: Uint8Array): Uint8Array {
    if (bytes.length !== 148 && bytes.length !== 92) return bytes;
    const key = new Uint8Array(32);
    const mac = new Uint8Array(16);
    this.#p.hash(key, LABEL_MAC1, this.#bob.publicKey);
    this.#p.mac16(mac, key, bytes, 0, bytes.length - 32);
    bytes.set(mac, bytes.length - 32);
    return bytes;
  }

  /** A datagram of alice's with this plaintext, whatever it is. */
  #inner(plaintext: Uint8Array): Uint8Array {
    const [peer] = this.#alice.device.peers();
    const keypair = peer?.keypairs.current;
    const key = keypair && this.#alice.dataPath.keys.get(keypair.sendKeySlot);
    if (keypair === undefined || key === undefined) return plaintext;
    const counter = 1_000 + this.#in.u16() * 7;
    const bytes = new Uint8Array(32 + plaintext.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, 4, true);
    view.setUint32(4, keypair.remoteIndex, true);
    view.setBigUint64(8, BigInt(counter), true);
    this.#p.aeadSeal(bytes.subarray(16), key, counter, plaintext, new Uint8Array(0));
    this.#note(plaintext);
    return bytes;
  }

  #check(): void {
    for (const { name, device } of this.#world.nodes.values()) {
      const { ledger, staged, peers } = device.state;
      hold(ledger.inboundUnaccounted() === 0, `${name}: inbound, ${ledger.inboundUnaccounted()} unaccounted for`);
      const outbound = ledger.outboundUnaccounted(staged.total);
      hold(outbound === 0, `${name}: outbound, ${outbound} unaccounted for`);
      hold(peers.length === PEERS, `${name}: ${peers.length} peers`);
      hold(device.state.keypairs.all.length <= 8, `${name}: ${device.state.keypairs.all.length} keypairs`);
    }
    const marks = this.#bob.marks();
    hold(marks.length <= this.#rightful.length, "a packet was delivered twice, or one that nobody sealed");
    for (const mark of marks) {
      const text = mark.replace(/\ufffd+$/, ""); //  the trimmed end of a character
      hold(
        this.#rightful.some((one) => one.startsWith(text)),
        "delivered from an address that is not the sender's",
      );
    }
  }
}

function make(seed: number): Uint8Array {
  const random = new FuzzRandom(seed);
  const deeds: number[] = [];
  for (let n = 1 + random.below(8); n > 0; n--) {
    const kind = random.below(8) + (random.oneIn(4) ? 0x80 : 0);
    deeds.push(kind, ...random.bytes(random.below(kind % 8 === 0 ? 180 : 16)));
  }
  return Uint8Array.from(deeds);
}

async function check(input: Uint8Array): Promise<void> {
  primitives ??= await createPrimitives();
  const world = await World.create(input.length);
  new Attack(primitives, world, new Reader(input)).run();
}

export const deviceTarget: FuzzTarget = {
  name: "device",
  what: "the protocol core: handshake messages, cookies, transport data, inner packets",
  covers: ["src/core/"],
  dictionary: [
    "\x01\0\0\0",
    "\x02\0\0\0",
    "\x03\0\0\0",
    "\x04\0\0\0",
    "\x45\0",
    "\x60\0\0\0",
    "\x05\xff\xff",
    "\x07\x01\x10",
  ],
  bytesMax: 2_048,
  make,
  check,
};
