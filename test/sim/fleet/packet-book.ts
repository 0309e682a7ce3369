// Every inner packet that was offered to a tunnel, and what has to be true where one comes out.

import { innerPacket, numberOf, sourceOf } from "./inner-packets.js";
import { keyText } from "./key-text.js";
import type { Site } from "./site.js";
import { hold } from "./violation.js";

interface Offered {
  readonly from: Site;
  /** Key of the peer that it was for, by the routes of that moment; "": none. */
  readonly recipient: string;
  readonly bytes: Uint8Array;
  deliveredMs: number;
}

export class PacketBook {
  readonly #offered: Offered[] = [];
  delivered = 0;

  get offered(): number {
    return this.#offered.length;
  }

  /** Makes packets, and offers them to the site's tunnel as one run. @returns the number of the first */
  offer(site: Site, from: Uint8Array, to: Uint8Array, payloadBytes: readonly number[], isBroken = false): number {
    const peer = site.routes.ownerOf(to);
    const key = site.edges.get(peer)?.publicKey;
    const recipient = key === undefined || isBroken ? "" : keyText(key);
    const first = this.#offered.length;
    const packets = payloadBytes.map((length, i) => innerPacket(from, to, first + i, length));
    if (isBroken) for (const packet of packets) packet[from.length === 4 ? 2 : 4] = 0x7f;
    for (const bytes of packets) this.#offered.push({ from: site, recipient, bytes, deliveredMs: -1 });
    if (!site.isAsleep) site.node?.offer(packets, peer);
    return first;
  }

  /** @returns when the packet was delivered; -1: not yet */
  deliveredMs(number: number): number {
    return this.#offered[number].deliveredMs;
  }

  /** A packet comes out. Errors: Violation. */
  take(site: Site, inner: Uint8Array, nowMs: number): void {
    const number = numberOf(inner);
    const packet = number === undefined ? undefined : this.#offered[number];
    const isSame = packet !== undefined && Buffer.compare(packet.bytes, inner) === 0;
    hold("recipient", isSame, () => `${site.name} delivers ${inner.length} bytes that nobody sent`);
    if (packet === undefined) return;
    const isMeant = packet.recipient === keyText(site.publicKey);
    hold("recipient", isMeant, () => `packet ${number} of ${packet.from.name} comes out at ${site.name}`);
    hold("twice", packet.deliveredMs < 0, () => `packet ${number}, at ${site.name}`);
    const owner = site.routes.ownerOf(sourceOf(inner) as Uint8Array);
    hold("source", owner === packet.from.index, () => `packet ${number} of ${packet.from.name}, at ${site.name}`);
    packet.deliveredMs = nowMs;
    this.delivered++;
  }
}
