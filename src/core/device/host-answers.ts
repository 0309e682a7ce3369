// Tells this host, by ICMP, that a packet it routed into the tunnel has no peer or no endpoint to go to, as the kernel's WireGuard
// does: a connection then fails at once instead of after minutes. Rate-limited; nothing from the network can cause one.

import { UNREACHABLE_BYTES_MAX, writeUnreachable } from "../transport/icmp-unreachable.js";
import { FlowCell, type Ledger } from "./ledger.js";

const BURST = 50;
const PER_SECOND = 100;

export class HostAnswers {
  readonly #ledger: Ledger;
  readonly #write: ((packet: Uint8Array) => boolean) | undefined;
  readonly #message = new Uint8Array(UNREACHABLE_BYTES_MAX);
  #tokens = BURST;
  #filledMs = 0;

  /** @param write  hands a packet to the host, whether it took it; undefined: nobody is told */
  constructor(ledger: Ledger, write: ((packet: Uint8Array) => boolean) | undefined) {
    this.#ledger = ledger;
    this.#write = write;
  }

  /** The packet at `offset` goes nowhere. */
  unreachable(arena: Uint8Array, offset: number, length: number, nowMs: number): void {
    if (this.#write === undefined || !this.#mayAnswer(nowMs)) return;
    const bytes = writeUnreachable(arena.subarray(offset, offset + length), this.#message);
    if (bytes === 0) return;
    this.#tokens--;
    if (this.#write(this.#message.subarray(0, bytes))) this.#ledger.flow[FlowCell.HostAnswers]++;
  }

  #mayAnswer(nowMs: number): boolean {
    this.#tokens = Math.min(BURST, this.#tokens + ((nowMs - this.#filledMs) * PER_SECOND) / 1_000);
    this.#filledMs = nowMs;
    return this.#tokens >= 1;
  }
}
