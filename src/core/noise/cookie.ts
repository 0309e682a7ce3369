// HOT PATH: mac1 of every handshake message passes here, garbage too: nothing here allocates after construction.
// CookieChecker is the side that receives handshake messages, CookieGenerator the side that sends them to one peer.
// Source: [W] 5.3, 5.4.4, 5.4.7.
import { DropReason } from "../drop-reason.js";
import {
  AEAD_TAG_BYTES,
  COOKIE_BYTES,
  COOKIE_MAX_AGE_MS,
  COOKIE_REPLY_BYTES,
  COOKIE_REPLY_COOKIE_OFFSET,
  COOKIE_REPLY_NONCE_OFFSET,
  COOKIE_REPLY_RECEIVER_INDEX_OFFSET,
  COOKIE_SECRET_MAX_AGE_MS,
  HASH_BYTES,
  MAC_BYTES,
  MAC1_FROM_END,
  MAC2_FROM_END,
  MessageType,
  SENDER_INDEX_OFFSET,
  TYPE_OFFSET,
  XNONCE_BYTES,
} from "./constants.js";
import { deriveCookieKey, deriveMac1Key, type Identity } from "./identity.js";
import type { Primitives } from "./primitives.js";
import { secretBytes } from "./secret-bytes.js";

/** Fills with random bytes. */
export type FillRandom = (into: Uint8Array) => void;

/** Checks the macs of messages sent to us and writes cookie replies. One a device and identity. */
export class CookieChecker {
  private readonly p: Primitives;
  private readonly identity: Identity;
  private readonly fillRandom: FillRandom;
  private readonly cookieSecret = secretBytes(HASH_BYTES);
  /** When the secret was made; −∞: there is none yet. */
  private secretMadeMs = Number.NEGATIVE_INFINITY;
  private readonly cookie = secretBytes(COOKIE_BYTES);
  private readonly mac = new Uint8Array(MAC_BYTES);
  private readonly nonce = new Uint8Array(XNONCE_BYTES);
  private readonly sealed = new Uint8Array(COOKIE_BYTES + AEAD_TAG_BYTES);

  /** @param identity  borrowed. */
  constructor(p: Primitives, identity: Identity, fillRandom: FillRandom) {
    this.p = p;
    this.identity = identity;
    this.fillRandom = fillRandom;
  }

  /** Is mac1 of the message `bytes[offset, offset + length)` right? Allocates nothing. @param length  148 or 92. */
  checkMac1(bytes: Uint8Array, offset: number, length: number): boolean {
    const covered = length - MAC1_FROM_END;
    this.p.mac16(this.mac, this.identity.mac1Key, bytes, offset, covered);
    return this.p.equal(this.mac, bytes, offset + covered);
  }

  /**
   * Is mac2 right, from a cookie of the present secret for this source? False before the first reply. Allocates nothing.
   * @param source  address and port bytes, the same each time for one source.
   */
  checkMac2(bytes: Uint8Array, offset: number, length: number, source: Uint8Array, nowMs: number): boolean {
    if (nowMs - this.secretMadeMs >= COOKIE_SECRET_MAX_AGE_MS) return false;
    const covered = length - MAC2_FROM_END;
    // zeros say that there is none ([W] 5.4.4), as in a flood: no need to hash
    if (!hasMac2(bytes, offset, length)) return false;
    this.p.mac16(this.cookie, this.cookieSecret, source);
    this.p.mac16(this.mac, this.cookie, bytes, offset, covered);
    this.p.wipe(this.cookie);
    return this.p.equal(this.mac, bytes, offset + covered);
  }

  /**
   * Writes the cookie reply to the handshake message `bytes[offset, offset + length)`, whose mac1 has been checked.
   * @param out  64 bytes. @param source  as in checkMac2.
   */
  createReply(
    out: Uint8Array,
    bytes: Uint8Array,
    offset: number,
    length: number,
    source: Uint8Array,
    nowMs: number,
  ): void {
    if (nowMs - this.secretMadeMs >= COOKIE_SECRET_MAX_AGE_MS) {
      this.fillRandom(this.cookieSecret);
      this.secretMadeMs = nowMs;
    }
    const mac1At = offset + length - MAC1_FROM_END;
    this.p.mac16(this.cookie, this.cookieSecret, source);
    this.fillRandom(this.nonce);
    out.fill(0, TYPE_OFFSET, COOKIE_REPLY_RECEIVER_INDEX_OFFSET);
    out[TYPE_OFFSET] = MessageType.CookieReply;
    for (let i = 0; i < 4; i++) {
      out[COOKIE_REPLY_RECEIVER_INDEX_OFFSET + i] = bytes[offset + SENDER_INDEX_OFFSET + i];
    }
    out.set(this.nonce, COOKIE_REPLY_NONCE_OFFSET);
    copyBytes(this.mac, bytes, mac1At);
    this.p.xaeadSeal(this.sealed, this.identity.cookieKey, this.nonce, this.cookie, this.mac);
    out.set(this.sealed, COOKIE_REPLY_COOKIE_OFFSET);
    this.p.wipe(this.cookie);
  }

  /** Zeroes the secret; cookies given out are void. */
  wipe(): void {
    this.cookieSecret.fill(0);
    this.secretMadeMs = Number.NEGATIVE_INFINITY;
  }
}

/** Whether the message `bytes[offset, offset + length)` claims to carry a cookie: mac2 is zero without one. */
export function hasMac2(bytes: Uint8Array, offset: number, length: number): boolean {
  const at = offset + length - MAC2_FROM_END;
  let bits = 0;
  for (let i = 0; i < MAC_BYTES; i++) bits |= bytes[at + i];
  return bits !== 0;
}

/** Appends the macs to messages for one peer, and keeps the cookie that it gave us. */
export class CookieGenerator {
  private readonly p: Primitives;
  private readonly mac1Key: Uint8Array;
  private readonly cookieKey: Uint8Array;
  private readonly lastMac1 = new Uint8Array(MAC_BYTES);
  /** Whether lastMac1 may still be answered by a cookie reply. */
  private awaitsReply = false;
  private readonly cookie = secretBytes(COOKIE_BYTES);
  private cookieReceivedMs = Number.NEGATIVE_INFINITY;

  /** @param remoteStatic  the peer's static public key. */
  constructor(p: Primitives, remoteStatic: Uint8Array) {
    this.p = p;
    this.mac1Key = deriveMac1Key(p, remoteStatic);
    this.cookieKey = deriveCookieKey(p, remoteStatic);
  }

  /** Writes the last 32 bytes of an initiation or response: mac1, and mac2 or zeros. Remembers mac1. */
  addMacs(message: Uint8Array, nowMs: number): void {
    const mac1At = message.length - MAC1_FROM_END;
    const mac2At = message.length - MAC2_FROM_END;
    this.p.mac16(this.lastMac1, this.mac1Key, message, 0, mac1At);
    message.set(this.lastMac1, mac1At);
    this.awaitsReply = true;
    message.fill(0, mac2At);
    if (nowMs - this.cookieReceivedMs < COOKIE_MAX_AGE_MS) {
      this.p.mac16(mac2, this.cookie, message, 0, mac2At);
      message.set(mac2, mac2At);
    }
  }

  /**
   * Takes the cookie of a reply to the last message we sent; the caller has matched the receiver index.
   * @param message  64 bytes.
   * @returns DropReason.None, Malformed, HandshakeUnexpected (nothing to answer) or CookieInvalid; nothing changed then.
   */
  consumeReply(message: Uint8Array, nowMs: number): DropReason {
    if (message.length !== COOKIE_REPLY_BYTES || !isCookieReply(message)) return DropReason.Malformed;
    if (!this.awaitsReply) return DropReason.HandshakeUnexpected;
    const { p } = this;
    copyBytes(nonce, message, COOKIE_REPLY_NONCE_OFFSET);
    copyBytes(sealed, message, COOKIE_REPLY_COOKIE_OFFSET);
    if (!p.xaeadOpen(opened, this.cookieKey, nonce, sealed, this.lastMac1)) return DropReason.CookieInvalid;
    this.cookie.set(opened);
    p.wipe(opened);
    this.cookieReceivedMs = nowMs;
    this.awaitsReply = false;
    return DropReason.None;
  }

  /** Forgets cookie and mac1. */
  wipe(): void {
    this.cookie.fill(0);
    this.lastMac1.fill(0);
    this.cookieReceivedMs = Number.NEGATIVE_INFINITY;
    this.awaitsReply = false;
  }
}

// Working memory of all generators: one of each a peer would be most of what an idle peer costs.
const mac2 = new Uint8Array(MAC_BYTES);
const opened = secretBytes(COOKIE_BYTES);
const nonce = new Uint8Array(XNONCE_BYTES);
const sealed = new Uint8Array(COOKIE_BYTES + AEAD_TAG_BYTES);

/** The type with its three reserved zero bytes. */
function isCookieReply(message: Uint8Array): boolean {
  return message[TYPE_OFFSET] === MessageType.CookieReply && (message[1] | message[2] | message[3]) === 0;
}

function copyBytes(to: Uint8Array, from: Uint8Array, offset: number): void {
  for (let i = 0; i < to.length; i++) to[i] = from[offset + i];
}
