// mac1, mac2 and cookies: both sides, rotation, expiry, and that nothing but the right message passes.
import { beforeEach, describe, expect, test } from "vitest";
import { DropReason } from "../../../src/core/drop-reason.js";
import { CookieChecker, CookieGenerator, hasMac2 } from "../../../src/core/noise/cookie.js";
import { Identity } from "../../../src/core/noise/identity.js";
import { createPrimitives, type Primitives } from "../../../src/core/noise/primitives.js";
import { concat, hex, isZero, pattern } from "./bytes.js";
import { BOB_STATIC } from "./pair.js";
import * as reference from "./reference.js";

const SOURCE = hex("c0000207cb12");
const OTHER_PORT = hex("c0000207cb13");
const LENGTHS = [148, 92];

let p: Primitives;
let bob: Identity;
let checker: CookieChecker;
let generator: CookieGenerator;
/** Every random fill so far; each is different. */
let fills: Uint8Array[];

beforeEach(async () => {
  p = await createPrimitives();
  bob = new Identity(p, BOB_STATIC);
  fills = [];
  checker = new CookieChecker(p, bob, (into) => {
    into.set(pattern(into.length, 200 + fills.length));
    fills.push(into.slice());
  });
  generator = new CookieGenerator(p, bob.publicKey);
});

function message(length: number, nowMs: number, seed = 1): Uint8Array {
  const bytes = pattern(length, seed);
  generator.addMacs(bytes, nowMs);
  return bytes;
}

function reply(to: Uint8Array, nowMs: number, source = SOURCE): Uint8Array {
  const out = pattern(64, 3);
  checker.createReply(out, to, 0, to.length, source, nowMs);
  return out;
}

describe.each(LENGTHS)("mac1 of %i bytes", (length) => {
  test("equals the formula; mac2 is zero without a cookie", () => {
    const bytes = message(length, 0);
    const covered = pattern(length, 1).subarray(0, length - 32);
    expect(bytes.subarray(0, length - 32)).toEqual(covered);
    expect(bytes.subarray(-32, -16)).toEqual(reference.mac1Of(bob.publicKey, covered));
    expect(isZero(bytes.subarray(-16))).toBe(true);
  });

  test("checks at any offset of a larger memory; each byte before mac2 counts", () => {
    const bytes = message(length, 0);
    const arena = concat(pattern(77, 5), bytes, pattern(50, 6));
    expect(checker.checkMac1(arena, 77, length)).toBe(true);
    expect(checker.checkMac1(arena, 76, length)).toBe(false);
    for (let i = 0; i < length; i++) {
      const corrupt = bytes.slice();
      corrupt[i] ^= 1 << (i & 7);
      expect(checker.checkMac1(corrupt, 0, length), `byte ${i}`).toBe(i >= length - 16);
    }
  });

  test("is another for another receiver", () => {
    const other = new CookieChecker(p, new Identity(p, pattern(32, 40)), () => {});
    expect(other.checkMac1(message(length, 0), 0, length)).toBe(false);
  });
});

describe.each(LENGTHS)("cookie and mac2 of %i bytes", (length) => {
  test("reply by the formulas: type, receiver, nonce, cookie of the source sealed under mac1", () => {
    const bytes = message(length, 0);
    const out = reply(bytes, 0);
    const [secret, nonce] = fills;
    expect(fills.map((fill) => fill.length)).toEqual([32, 24]);
    expect(out.subarray(0, 4)).toEqual(hex("03000000"));
    expect(out.subarray(4, 8)).toEqual(bytes.subarray(4, 8));
    expect(out.subarray(8, 32)).toEqual(nonce);
    const key = reference.hash(new TextEncoder().encode("cookie--"), bob.publicKey);
    const cookie = new Uint8Array(16);
    expect(p.xaeadOpen(cookie, key, nonce, out.subarray(32), bytes.subarray(-32, -16))).toBe(true);
    expect(cookie).toEqual(reference.mac(secret, SOURCE));
  });

  test("the next message carries a mac2 that the checker accepts from that source only", () => {
    const first = message(length, 0);
    expect(checker.checkMac2(first, 0, length, SOURCE, 0)).toBe(false);
    expect(hasMac2(first, 0, length)).toBe(false);
    expect(generator.consumeReply(reply(first, 0), 5)).toBe(DropReason.None);
    const second = message(length, 6, 2);
    const cookie = reference.mac(fills[0], SOURCE);
    expect(second.subarray(-16)).toEqual(reference.mac(cookie, second.subarray(0, -16)));
    expect(checker.checkMac1(second, 0, length)).toBe(true);
    expect(checker.checkMac2(second, 0, length, SOURCE, 6)).toBe(true);
    expect(checker.checkMac2(second, 0, length, OTHER_PORT, 6)).toBe(false);
    const arena = concat(pattern(9, 1), second);
    expect(hasMac2(arena, 9, length)).toBe(true);
    expect(checker.checkMac2(arena, 9, length, SOURCE, 6)).toBe(true);
    for (let i = 0; i < length; i++) {
      const corrupt = second.slice();
      corrupt[i] ^= 1;
      expect(checker.checkMac2(corrupt, 0, length, SOURCE, 6), `byte ${i}`).toBe(false);
    }
  });
});

describe("the checker's secret", () => {
  test("does not exist before the first reply: not even a mac2 from a zero secret passes", () => {
    const bytes = message(148, 0);
    const cookie = reference.mac(new Uint8Array(32), SOURCE);
    bytes.set(reference.mac(cookie, bytes.subarray(0, -16)), 132);
    expect(checker.checkMac2(bytes, 0, 148, SOURCE, 0)).toBe(false);
  });

  test("serves 120 s, then a new one is made and old cookies fail", () => {
    expect(generator.consumeReply(reply(message(148, 0), 0), 100)).toBe(DropReason.None);
    const bytes = message(148, 101);
    reply(bytes, 119_999);
    expect(fills).toHaveLength(3); // secret, nonce, nonce: no new secret yet
    expect(checker.checkMac2(bytes, 0, 148, SOURCE, 119_999)).toBe(true);
    expect(checker.checkMac2(bytes, 0, 148, SOURCE, 120_000)).toBe(false);
    reply(bytes, 120_000);
    expect(fills.map((fill) => fill.length)).toEqual([32, 24, 24, 32, 24]);
    expect(checker.checkMac2(bytes, 0, 148, SOURCE, 120_000)).toBe(false);
  });

  test("wipe zeroes it and voids its cookies", () => {
    expect(generator.consumeReply(reply(message(148, 0), 0), 0)).toBe(DropReason.None);
    const bytes = message(148, 1);
    expect(checker.checkMac2(bytes, 0, 148, SOURCE, 1)).toBe(true);
    checker.wipe();
    expect(checker.checkMac2(bytes, 0, 148, SOURCE, 1)).toBe(false);
    expect(isZero((checker as unknown as { cookieSecret: Uint8Array }).cookieSecret)).toBe(true);
  });

  test("no cookie stays in working memory", () => {
    const bytes = message(148, 0);
    const { cookie } = checker as unknown as { cookie: Uint8Array };
    reply(bytes, 0);
    expect(isZero(cookie)).toBe(true);
    checker.checkMac2(bytes, 0, 148, SOURCE, 0);
    expect(isZero(cookie)).toBe(true);
  });
});

describe("the generator", () => {
  test("uses a cookie for 120 s from its receipt", () => {
    expect(generator.consumeReply(reply(message(148, 0), 0), 1_000)).toBe(DropReason.None);
    expect(isZero(message(148, 120_999).subarray(-16))).toBe(false);
    expect(isZero(message(148, 121_000).subarray(-16))).toBe(true);
  });

  test("takes one reply a message, and only to the last one sent", () => {
    const first = message(148, 0, 1);
    const toFirst = reply(first, 0);
    const second = message(148, 1, 2);
    expect(generator.consumeReply(toFirst, 2)).toBe(DropReason.CookieInvalid);
    const toSecond = reply(second, 2);
    expect(generator.consumeReply(toSecond, 3)).toBe(DropReason.None);
    expect(generator.consumeReply(toSecond, 4)).toBe(DropReason.HandshakeUnexpected);
  });

  test("refuses a reply before anything was sent, of another length or type, or with any byte changed", () => {
    expect(generator.consumeReply(reply(pattern(148, 1), 0), 0)).toBe(DropReason.HandshakeUnexpected);
    const out = reply(message(148, 0), 0);
    expect(generator.consumeReply(out.subarray(0, 63), 0)).toBe(DropReason.Malformed);
    for (let i = 0; i < 64; i++) {
      if (i >= 4 && i < 8) continue; // the receiver index is the caller's to match
      const corrupt = out.slice();
      corrupt[i] ^= 1;
      const reason = i < 4 ? DropReason.Malformed : DropReason.CookieInvalid;
      expect(generator.consumeReply(corrupt, 0), `byte ${i}`).toBe(reason);
    }
    expect(isZero(message(148, 0, 2).subarray(-16))).toBe(true);
  });

  test("a forged reply does not use up the expectation, nor end a cookie held", () => {
    expect(generator.consumeReply(reply(message(148, 0), 0), 0)).toBe(DropReason.None);
    const bytes = message(148, 1);
    const forged = reply(bytes, 1);
    forged[40] ^= 1;
    expect(generator.consumeReply(forged, 1)).toBe(DropReason.CookieInvalid);
    expect(generator.consumeReply(reply(bytes, 1), 1)).toBe(DropReason.None);
    expect(checker.checkMac2(message(148, 2), 0, 148, SOURCE, 2)).toBe(true);
  });

  test("wipe forgets cookie and mac1", () => {
    expect(generator.consumeReply(reply(message(148, 0), 0), 0)).toBe(DropReason.None);
    const bytes = message(148, 1);
    generator.wipe();
    const { cookie, lastMac1 } = generator as unknown as Record<string, Uint8Array>;
    expect([cookie, lastMac1].every(isZero)).toBe(true);
    expect(generator.consumeReply(reply(bytes, 1), 1)).toBe(DropReason.HandshakeUnexpected);
    expect(isZero(message(148, 1).subarray(-16))).toBe(true);
  });
});
