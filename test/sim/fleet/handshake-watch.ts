// What a node may say in handshakes, by what it was told: one an incarnation of a daemon. It reads the wire, and of the
// core only whether it calls itself under load.

import { deriveMac1Key } from "../../../src/core/noise/identity.js";
import type { Primitives } from "../../../src/core/noise/primitives.js";
import type { Arrival } from "../arrivals.js";
import { hold } from "./violation.js";

const MAC_BYTES = 16;
const REKEY_TIMEOUT_MS = 5_000;
/** REKEY_ATTEMPT_TIME, the last attempt's jitter, and the timers that begin an attempt by themselves, 10 and 15 s later. */
const ATTEMPT_END_MS = 90_000 + 18 * 340 + 16_000 + 11_000;
const INITIATION_GAP_MS = 20;
const COOKIE_AGE_MS = 120_000;
/** Handshakes that may be worked on at once, and how many more a ms, cookies included. */
const WORK_BURST = 320;
const WORK_PER_MS = 0.5;

/** Of one peer, by its key. */
interface PeerRecord {
  initiatedMs: number;
  respondedMs: number;
  /** When there last was something to begin a handshake for. */
  reasonMs: number;
  /** Sender indices of initiations that were answered. */
  readonly answered: Set<number>;
}

export class HandshakeWatch {
  isUnderLoad = false;
  /** Of the arrivals in work. */
  forged = 0;
  withoutCookie = 0;
  #genuine = 0;
  #replies = 0;
  /** Genuine messages of earlier turns that were not handled yet. */
  #waiting = 0;
  #loadChanged = false;
  readonly #p: Primitives;
  readonly #nowMs: () => number;
  readonly #peers = new Map<string, PeerRecord>();
  #mac1Key: Uint8Array = new Uint8Array(32);
  readonly #mac = new Uint8Array(MAC_BYTES);
  /** Cookies of the present secret, by the source that each is for. */
  readonly #cookies = new Map<string, Uint8Array>();
  #sealed: Uint8Array[] = [];
  #secretMadeMs = Number.NEGATIVE_INFINITY;
  #work = 0;
  #workedMs = 0;

  constructor(primitives: Primitives, nowMs: () => number) {
    this.#p = primitives;
    this.#nowMs = nowMs;
  }

  /** The device has this key from now on; whatever was said before belongs to another. */
  keyChanged(publicKey: Uint8Array): void {
    this.#mac1Key = deriveMac1Key(this.#p, publicKey);
    this.#peers.clear();
    this.#cookies.clear();
    this.#secretMadeMs = Number.NEGATIVE_INFINITY;
  }

  /** The device forgot everything about the peer. */
  forget(peerKey: string): void {
    this.#peers.delete(peerKey);
  }

  /** The device forgot every exchange and keypair, but no peer. */
  wentDown(): void {
    for (const peer of this.#peers.values()) peer.initiatedMs = Number.NEGATIVE_INFINITY;
  }

  /** There is something to send to the peer, or it was heard. */
  hasReason(peerKey: string): void {
    this.#of(peerKey).reasonMs = this.#nowMs();
  }

  /** The daemon slept: its timers are late by that much. */
  woke(): void {
    for (const peer of this.#peers.values()) peer.reasonMs = this.#nowMs();
  }

  loadChanged(isUnderLoad: boolean): void {
    this.isUnderLoad = isUnderLoad;
    this.#loadChanged = true;
  }

  begin(arrivals: readonly Arrival[], waiting: number): void {
    this.#waiting = waiting;
    this.forged = 0;
    this.withoutCookie = 0;
    this.#genuine = 0;
    this.#replies = 0;
    this.#loadChanged = false;
    this.#sealed = [];
    for (const { bytes, from } of arrivals) {
      if (!isHandshake(bytes)) continue;
      if (!this.#hasMac(this.#mac1Key, bytes, bytes.length - 2 * MAC_BYTES)) this.forged++;
      else {
        this.#genuine++;
        if (!this.#hasCookie(bytes, from)) this.withoutCookie++;
      }
    }
  }

  cookieSealed(cookie: Uint8Array): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#secretMadeMs >= COOKIE_AGE_MS) {
      this.#secretMadeMs = nowMs;
      this.#cookies.clear();
    }
    this.#sealed.push(cookie.slice());
  }

  cookieReplySent(to: string): void {
    this.#countReply();
    const cookie = this.#sealed.shift();
    if (cookie !== undefined) this.#cookies.set(to, cookie);
  }

  initiationSent(peerKey: string, keepsAlive: boolean): void {
    const peer = this.#of(peerKey);
    const nowMs = this.#nowMs();
    const gapMs = nowMs - peer.initiatedMs;
    hold("initiations", gapMs >= REKEY_TIMEOUT_MS, () => `two initiations within ${gapMs} ms`);
    const sinceMs = nowMs - peer.reasonMs;
    hold("initiations", keepsAlive || sinceMs <= ATTEMPT_END_MS, () => `still trying ${sinceMs} ms after any reason`);
    peer.initiatedMs = nowMs;
  }

  responseSent(peerKey: string, receiverIndex: number): void {
    this.#countReply();
    const peer = this.#of(peerKey);
    hold("answers", !peer.answered.has(receiverIndex), () => `initiation ${receiverIndex} is answered again`);
    peer.answered.add(receiverIndex);
    const gapMs = this.#nowMs() - peer.respondedMs;
    hold("answers", gapMs >= INITIATION_GAP_MS, () => `two responses to one peer within ${gapMs} ms`);
    peer.respondedMs = this.#nowMs();
  }

  /** The arrivals were handled. @param underLoad  of them refused for want of a cookie @param limited  over the limit */
  end(underLoad: number, limited: number): void {
    if (!this.#loadChanged) {
      const wanted = this.isUnderLoad ? this.withoutCookie : 0;
      hold("load", underLoad === wanted, () => `${underLoad} were asked for a cookie, ${wanted} had none`);
    }
    const nowMs = this.#nowMs();
    const drained = (nowMs - this.#workedMs) * WORK_PER_MS;
    this.#work = Math.max(0, this.#work - drained) + this.#genuine - underLoad - limited;
    this.#workedMs = nowMs;
    hold("load", this.#work <= WORK_BURST, () => `${Math.round(this.#work)} handshake messages at once`);
  }

  #countReply(): void {
    this.#replies++;
    const genuine = this.#genuine + this.#waiting;
    hold("answers", this.#replies <= genuine, () => `${this.#replies} answers to ${genuine} genuine messages`);
  }

  #hasCookie(bytes: Uint8Array, from: string): boolean {
    if (this.#nowMs() - this.#secretMadeMs >= COOKIE_AGE_MS) return false;
    const cookie = this.#cookies.get(from);
    return cookie !== undefined && this.#hasMac(cookie, bytes, bytes.length - MAC_BYTES);
  }

  #hasMac(key: Uint8Array, bytes: Uint8Array, at: number): boolean {
    this.#p.mac16(this.#mac, key, bytes, 0, at);
    return this.#p.equal(this.#mac, bytes, at);
  }

  #of(peerKey: string): PeerRecord {
    let peer = this.#peers.get(peerKey);
    if (peer === undefined) {
      const never = Number.NEGATIVE_INFINITY;
      peer = { initiatedMs: never, respondedMs: never, reasonMs: this.#nowMs(), answered: new Set() };
      this.#peers.set(peerKey, peer);
    }
    return peer;
  }
}

/** By its first four bytes and its length an initiation or a response. */
export function isHandshake(bytes: Uint8Array): boolean {
  return (bytes.length === 148 && bytes[0] === 1) || (bytes.length === 92 && bytes[0] === 2)
    ? (bytes[1] | bytes[2] | bytes[3]) === 0
    : false;
}
