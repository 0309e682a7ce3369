// X25519 and both AEADs against RFCs, Wycheproof and OpenSSL; hmac and the small helpers.
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createPrimitives, type Primitives } from "../../../src/core/noise/primitives.js";
import { concat, hex, isZero, pattern, toHex, vectors } from "./bytes.js";
import * as reference from "./reference.js";

let p: Primitives;
beforeAll(async () => {
  p = await createPrimitives();
});

function x25519(scalar: Uint8Array, point: Uint8Array): Uint8Array {
  const out = new Uint8Array(32);
  expect(p.x25519(out, scalar, point)).toBe(true);
  return out;
}

describe("X25519", () => {
  test("RFC 7748 5.2: two multiplications", () => {
    const one = x25519(
      hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
      hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
    );
    expect(toHex(one)).toBe("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    const two = x25519(
      hex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
      hex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"),
    );
    expect(toHex(two)).toBe("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
  });

  test("RFC 7748 5.2: iterated 1,000 times", () => {
    let k = hex("0900000000000000000000000000000000000000000000000000000000000000");
    let u = k;
    for (let i = 0; i < 1_000; i++) {
      const next = x25519(k, u);
      if (i === 0) expect(toHex(next)).toBe("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
      u = k;
      k = next;
    }
    expect(toHex(k)).toBe("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
  });

  test("RFC 7748 6.1: public keys, and the same secret on both sides", () => {
    const alice = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    const bob = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    const alicePublic = new Uint8Array(32);
    const bobPublic = new Uint8Array(32);
    p.x25519Base(alicePublic, alice);
    p.x25519Base(bobPublic, bob);
    expect(toHex(alicePublic)).toBe("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    expect(toHex(bobPublic)).toBe("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    const secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
    expect(toHex(x25519(alice, bobPublic))).toBe(secret);
    expect(toHex(x25519(bob, alicePublic))).toBe(secret);
  });

  interface XdhFile {
    testGroups: {
      tests: { tcId: number; public: string; private: string; shared: string; result: string; flags: string[] }[];
    }[];
  }
  test("every Wycheproof vector; the all-zero results are refused", () => {
    let zero = 0;
    let other = 0;
    for (const t of vectors<XdhFile>("wycheproof-x25519.json").testGroups.flatMap((group) => group.tests)) {
      const out = pattern(32, t.tcId);
      const ok = p.x25519(out, hex(t.private), hex(t.public));
      expect(toHex(out), `tcId ${t.tcId}`).toBe(t.shared);
      expect(ok, `tcId ${t.tcId}`).toBe(!t.flags.includes("ZeroSharedSecret"));
      if (ok) other++;
      else zero++;
    }
    expect([zero, other]).toEqual([31, 487]);
  });

  test("equals OpenSSL, public keys too", () => {
    for (let i = 0; i < 20; i++) {
      const scalar = pattern(32, i + 1);
      const remote = reference.publicKeyOf(pattern(32, i + 100));
      expect(x25519(scalar, remote)).toEqual(reference.dh(scalar, remote));
      const out = new Uint8Array(32);
      p.x25519Base(out, scalar);
      expect(out).toEqual(reference.publicKeyOf(scalar));
    }
  });

  test("an override is used, and cannot let an all-zero or stale secret through", async () => {
    const base = vi.fn((out: Uint8Array) => void out.fill(9));
    const claimsSuccess = await createPrimitives({ x25519: (out) => out.fill(0).length > 0, x25519Base: base });
    const out = pattern(32, 1);
    expect(claimsSuccess.x25519(out, pattern(32, 2), pattern(32, 3))).toBe(false);
    claimsSuccess.x25519Base(out, pattern(32, 2));
    expect(base).toHaveBeenCalledOnce();
    expect(out[31]).toBe(9);
    const refusesWithoutWriting = await createPrimitives({ x25519: () => false });
    expect(refusesWithoutWriting.x25519(out, pattern(32, 2), pattern(32, 3))).toBe(false);
    expect(isZero(out)).toBe(true);
    const works = await createPrimitives({ x25519: (into) => into.fill(5).length > 0 });
    expect(works.x25519(out, pattern(32, 2), pattern(32, 3))).toBe(true);
    expect(out[0]).toBe(5);
  });
});

describe("ChaCha20-Poly1305", () => {
  const key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const ad = hex("50515253c0c1c2c3c4c5c6c7");
  const sunscreen = new TextEncoder().encode(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
  );

  // The nonce of RFC 8439's vector does not begin with the four zero bytes of [W] 5.4.6, so it cannot be said as a
  // counter: it anchors the second implementation, and the next test holds the first to that.
  test("RFC 8439 2.8.2 holds for the reference", () => {
    expect(toHex(reference.seal(key, hex("070000004041424344454647"), sunscreen, ad))).toBe(
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
    );
  });

  test("equals the reference over lengths, associated data and counters to 2^53 − 1; opens what it sealed", () => {
    const counters = [0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40 + 77, 2 ** 53 - 1];
    for (let length = 0; length <= 200; length++) {
      const counter = counters[length % counters.length];
      const plaintext = pattern(length, length);
      const associated = pattern(length % 40, 3);
      const sealed = new Uint8Array(length + 16);
      p.aeadSeal(sealed, key, counter, plaintext, associated);
      expect(sealed).toEqual(reference.seal(key, reference.nonce12(BigInt(counter)), plaintext, associated));
      const opened = new Uint8Array(length);
      expect(p.aeadOpen(opened, key, counter, sealed, associated)).toBe(true);
      expect(opened).toEqual(plaintext);
    }
  });

  test("refuses a changed bit, counter, key or associated data, and leaves the output untouched", () => {
    const sealed = new Uint8Array(sunscreen.length + 16);
    p.aeadSeal(sealed, key, 7, sunscreen, ad);
    const out = pattern(sunscreen.length, 9);
    const refuses = (c: Uint8Array, counter = 7, k = key, a = ad) => {
      expect(p.aeadOpen(out, k, counter, c, a)).toBe(false);
      expect(out).toEqual(pattern(sunscreen.length, 9));
    };
    for (let i = 0; i < sealed.length; i++)
      refuses(sealed.map((byte, at) => (at === i ? byte ^ (1 << (i & 7)) : byte)));
    refuses(sealed, 8);
    refuses(sealed, 7 + 2 ** 32);
    refuses(sealed, 7, pattern(32, 1));
    refuses(sealed, 7, key, ad.subarray(1));
    expect(p.aeadOpen(new Uint8Array(0), key, 7, sealed.subarray(0, 15), ad)).toBe(false);
  });

  test("leaves no key or plaintext in the module's memory", () => {
    const secretKey = pattern(32, 77);
    const secretText = pattern(64, 78);
    const sealed = new Uint8Array(80);
    const heap = () => Buffer.from((p as unknown as { sodium: { HEAPU8: Uint8Array } }).sodium.HEAPU8);
    const steps = [
      () => p.aeadSeal(sealed, secretKey, 1, secretText, ad),
      () => p.aeadOpen(new Uint8Array(64), secretKey, 1, sealed, ad),
      () => p.x25519(new Uint8Array(32), secretKey, pattern(32, 79)),
      () => p.x25519Base(new Uint8Array(32), secretKey),
    ];
    for (const step of steps) {
      step();
      expect(heap().includes(Buffer.from(secretKey))).toBe(false);
      expect(heap().includes(Buffer.from(secretText))).toBe(false);
    }
  });

  test("a plaintext over 64 KiB is a bug of the caller's, and says so", () => {
    const call = () => p.aeadSeal(new Uint8Array(70_016), key, 0, new Uint8Array(70_000), ad);
    expect(call).toThrow("plaintext 70000");
  });
});

interface AeadFile {
  testGroups: {
    ivSize: number;
    tests: Record<"key" | "iv" | "aad" | "msg" | "ct" | "tag" | "result" | "comment", string>[];
  }[];
}
test("every Wycheproof XChaCha20-Poly1305 vector with a 24-byte nonce, the draft's first", () => {
  const groups = vectors<AeadFile>("wycheproof-xchacha20_poly1305.json").testGroups.filter((g) => g.ivSize === 192);
  let valid = 0;
  let invalid = 0;
  for (const t of groups.flatMap((group) => group.tests)) {
    const plaintext = hex(t.msg);
    const sealed = concat(hex(t.ct), hex(t.tag));
    const out = new Uint8Array(plaintext.length);
    const ok = p.xaeadOpen(out, hex(t.key), hex(t.iv), sealed, hex(t.aad));
    expect(ok, t.comment).toBe(t.result === "valid");
    if (!ok) {
      invalid++;
      continue;
    }
    valid++;
    expect(toHex(out)).toBe(t.msg);
    const resealed = new Uint8Array(sealed.length);
    p.xaeadSeal(resealed, hex(t.key), hex(t.iv), plaintext, hex(t.aad));
    expect(toHex(resealed)).toBe(toHex(sealed));
  }
  expect(groups[0].tests[0].comment).toContain("draft");
  expect([valid, invalid]).toEqual([246, 60]);
});

describe("small helpers", () => {
  test("equal compares from an offset and refuses what is too short", () => {
    expect(p.equal(pattern(16, 1), concat(pattern(3, 9), pattern(16, 1)), 3)).toBe(true);
    expect(p.equal(pattern(16, 1), concat(pattern(3, 9), pattern(16, 1)), 2)).toBe(false);
    expect(p.equal(pattern(16, 1), pattern(15, 1))).toBe(false);
    expect(p.equal(new Uint8Array(16), new Uint8Array(15))).toBe(false);
    expect(p.equal(new Uint8Array(16), new Uint8Array(20), 5)).toBe(false);
    for (let i = 0; i < 16; i++) {
      const other = pattern(16, 1);
      other[i] ^= 0x80;
      expect(p.equal(pattern(16, 1), other)).toBe(false);
    }
  });

  test("wipe zeroes", () => {
    const secret = pattern(32, 1);
    p.wipe(secret);
    expect(isZero(secret)).toBe(true);
  });

  test("mac16 equals @noble/hashes over any slice", () => {
    const data = pattern(300, 4);
    const out = new Uint8Array(16);
    for (let offset = 0; offset < 150; offset++) {
      p.mac16(out, pattern(32, 5), data, offset, offset);
      expect(out).toEqual(reference.mac(pattern(32, 5), data.subarray(offset, 2 * offset)));
    }
  });

  test("hmac equals OpenSSL, in two parts and in place", () => {
    for (let length = 0; length < 130; length++) {
      const key = pattern(length % 65, 6);
      const data = pattern(length, 7);
      const out = new Uint8Array(32);
      p.hmac(out, key, data.subarray(0, length >> 1), data.subarray(length >> 1));
      expect(out).toEqual(reference.hmac(key, data));
    }
    const inPlace = pattern(32, 8);
    p.hmac(inPlace, inPlace, inPlace);
    expect(inPlace).toEqual(reference.hmac(pattern(32, 8), pattern(32, 8)));
  });
});
