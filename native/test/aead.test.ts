import { createCipheriv, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import {
  AeadUnavailableError,
  aeadBackends,
  createAead,
  X25519_PAIRS_MAX,
  x25519,
  x25519Base,
  x25519Pairs,
} from "../aead.js";
import { HeaderCell, PacketBatch, RunKind } from "../packet-batch.js";

const EBADMSG = 74;
const ENOKEY = 126;
const EOVERFLOW = 75;

const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

/** Wycheproof, C2SP/wycheproof testvectors_v1. */
function vectors<T>(name: string): { group: Record<string, unknown>; vector: T }[] {
  const file = JSON.parse(readFileSync(new URL(`../../test/vectors/wycheproof-${name}.json`, import.meta.url), "utf8"));
  return file.testGroups.flatMap((group: { tests: T[] }) => group.tests.map((vector) => ({ group, vector })));
}

interface AeadVector {
  tcId: number;
  key: string;
  iv: string;
  aad: string;
  msg: string;
  ct: string;
  tag: string;
  result: string;
}

interface XdhVector {
  tcId: number;
  public: string;
  private: string;
  shared: string;
}

const backends = aeadBackends();

test("this machine has a backend, and auto is the first", () => {
  expect(backends.length).toBeGreaterThan(0);
  const aead = createAead({ keySlots: 1 });
  expect(aead.backend).toBe(backends[0]);
  aead.close();
});

test("a backend that this machine lacks is refused, saying what to do", () => {
  expect(() => createAead({ backend: "none" as "auto", keySlots: 1 })).toThrow(/no AEAD backend is called none/);
  for (const backend of ["native-avx512", "native-avx2", "ipsec-mb", "openssl"] as const) {
    if (backends.includes(backend)) {
      createAead({ backend, keySlots: 1 }).close();
    } else {
      expect(() => createAead({ backend, keySlots: 1 })).toThrow(AeadUnavailableError);
      expect(() => createAead({ backend, keySlots: 1 })).toThrow(/apt install|openssl/);
    }
  }
});

test("keys of native code are in locked memory while the AEAD is open", () => {
  const lockedKib = () => Number(/VmLck:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  const native = backends.find((name) => name.startsWith("native-"));
  if (native === undefined) return;
  const before = lockedKib();
  const aead = createAead({ backend: native as "auto", keySlots: 1000 });
  expect(lockedKib() - before).toBeGreaterThanOrEqual(32);
  aead.close();
  expect(lockedKib()).toBe(before);
});

/** One run of `lengths.length` packets with the headroom and tailroom that a TUN read leaves. */
function outbound(batch: PacketBatch, row: number, lengths: number[], counter: number, fill: (i: number) => number) {
  const first = batch.header[HeaderCell.PacketCount];
  let at = batch.header[HeaderCell.ArenaUsed];
  lengths.forEach((length, i) => {
    at += 16;
    batch.packetOffset[first + i] = at;
    batch.packetLength[first + i] = length;
    batch.packetStatus[first + i] = 0;
    batch.arena.fill(fill(i), at, at + length);
    at += Math.ceil(length / 16) * 16 + 16;
  });
  batch.header[HeaderCell.PacketCount] = first + lengths.length;
  batch.header[HeaderCell.ArenaUsed] = at;
  batch.runFirst[row] = first;
  batch.runCount[row] = lengths.length;
  batch.runKind[row] = RunKind.Data;
  batch.runCounter[row] = counter;
  batch.header[HeaderCell.RunCount] = row + 1;
}

function makeBatch(): PacketBatch {
  const batch = new PacketBatch({ slots: 400, runs: 400, endpoints: 0, arenaBytes: 1 << 20 });
  batch.header[HeaderCell.PadLimit] = 1420;
  return batch;
}

const datagram = (batch: PacketBatch, slot: number) =>
  batch.arena.slice(batch.packetOffset[slot], batch.packetOffset[slot] + batch.packetLength[slot]);

describe.each(backends)("%s", (backend) => {
  const aead = createAead({ backend: backend as "auto", keySlots: 4 });
  const keys = [0, 1, 2].map(() => new Uint8Array(randomBytes(32)));
  keys.forEach((key, slot) => {
    aead.setKey(slot, key);
  });
  afterAll(() => aead.close());

  test("Wycheproof chacha20_poly1305", () => {
    let count = 0;
    for (const { group, vector } of vectors<AeadVector>("chacha20_poly1305")) {
      const sealed = hex(vector.ct + vector.tag);
      const message = hex(vector.msg);
      const nonce = hex(vector.iv);
      const out = new Uint8Array(message.length);
      const opened = aead.openOnce(out, hex(vector.key), nonce, hex(vector.aad), sealed);
      const label = `tcId ${vector.tcId}`;
      if (group["ivSize"] !== 96) {
        expect(opened, label).toBe(-22);
      } else if (vector.result === "valid") {
        expect(opened, label).toBe(0);
        expect(out, label).toEqual(message);
        const again = new Uint8Array(sealed.length);
        expect(aead.sealOnce(again, hex(vector.key), nonce, hex(vector.aad), message), label).toBe(0);
        expect(again, label).toEqual(sealed);
      } else {
        expect(opened, label).toBe(-EBADMSG);
        expect(out, label).toEqual(new Uint8Array(out.length));
      }
      count++;
    }
    expect(count).toBe(325);
  });

  test("a sealed batch is what node:crypto makes of the same header, padding and nonce", () => {
    const batch = makeBatch();
    const lengths = [[1420, 1420, 1405, 1419, 0, 1, 15, 16, 17], [100], [2000, 64]];
    const counters = [2 ** 32 - 3, 0, 2 ** 53 - 2];
    lengths.forEach((run, row) => {
      outbound(batch, row, run, counters[row]!, (i) => row * 16 + i);
      batch.runReceiver[row] = 0xf0e0d0c0 + row;
      batch.runKey[row] = row;
    });
    expect(aead.seal(batch)).toBe(12);
    let slot = 0;
    lengths.forEach((run, row) => {
      run.forEach((length, i) => {
        const padded = length > 1420 ? length : Math.min(Math.ceil(length / 16) * 16, 1420);
        const header = Buffer.alloc(16);
        header.writeUInt32LE(4, 0);
        header.writeUInt32LE(0xf0e0d0c0 + row, 4);
        header.writeBigUInt64LE(BigInt(counters[row]!) + BigInt(i), 8);
        const nonce = Buffer.concat([Buffer.alloc(4), header.subarray(8)]);
        const text = Buffer.concat([Buffer.alloc(length, row * 16 + i), Buffer.alloc(padded - length)]);
        const cipher = createCipheriv("chacha20-poly1305", keys[row]!, nonce, { authTagLength: 16 });
        const sealed = Buffer.concat([header, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
        expect(Buffer.from(datagram(batch, slot)), `row ${row} packet ${i}`).toEqual(sealed);
        slot++;
      });
    });
  });

  test("open returns the plaintext and refuses what was changed, wiping it", () => {
    const batch = makeBatch();
    outbound(batch, 0, new Array(300).fill(1420), 7, (i) => i & 255);
    batch.runReceiver[0] = 9;
    batch.runKey[0] = 1;
    expect(aead.seal(batch)).toBe(300);
    const bad = [0, 1, 44, 127, 128, 299];
    bad.forEach((slot, i) => {
      const at = batch.packetOffset[slot] + [16, 700, 1435, 1436, 1451, 8][i]!;
      batch.arena[at] = batch.arena[at]! ^ 1;
    });
    expect(aead.open(batch)).toBe(300 - bad.length);
    for (let slot = 0; slot < 300; slot++) {
      if (bad.includes(slot)) {
        expect(batch.packetStatus[slot]).toBe(-EBADMSG);
        expect(datagram(batch, slot).subarray(16, 1436)).toEqual(new Uint8Array(1420));
      } else {
        expect(batch.packetStatus[slot]).toBe(0);
        expect(datagram(batch, slot)).toEqual(new Uint8Array(1420).fill(slot & 255));
      }
    }
  });

  test("runs without a key, of another kind, and packets with a status are passed by", () => {
    const batch = makeBatch();
    for (let row = 0; row < 6; row++) outbound(batch, row, [64, 64], row === 5 ? 2 ** 53 - 1 : 0, () => 1);
    batch.runKey.set([-1, 0, 3, 0, 99, 0]);
    batch.runKind[1] = RunKind.Raw;
    batch.packetStatus[6] = 12;
    expect(aead.seal(batch)).toBe(2);
    expect([...batch.packetStatus.subarray(0, 12)]).toEqual([
      0,
      0,
      0,
      0,
      -ENOKEY,
      -ENOKEY,
      12,
      0,
      -ENOKEY,
      -ENOKEY,
      0,
      -EOVERFLOW,
    ]);
    expect([...batch.packetLength.subarray(0, 12)]).toEqual([64, 64, 64, 64, 64, 64, 64, 96, 64, 64, 96, 64]);
  });

  test("a cleared key seals nothing, and a closed one is refused", () => {
    const own = createAead({ backend: backend as "auto", keySlots: 1 });
    const batch = makeBatch();
    own.setKey(0, keys[0]!);
    own.clearKey(0);
    outbound(batch, 0, [64], 0, () => 1);
    batch.runKey[0] = 0;
    expect(own.seal(batch)).toBe(0);
    expect(batch.packetStatus[0]).toBe(-ENOKEY);
    expect(() => own.setKey(1, keys[0]!)).toThrow(RangeError);
    expect(() => own.setKey(0, new Uint8Array(31))).toThrow(RangeError);
    own.close();
    expect(own.seal(batch)).toBe(-9);
  });
});

test("Wycheproof x25519; all-zero results are refused", () => {
  let count = 0;
  let zeros = 0;
  for (const { vector } of vectors<XdhVector>("x25519")) {
    const out = new Uint8Array(32).fill(1);
    const good = x25519(out, hex(vector.private), hex(vector.public));
    expect(Buffer.from(out).toString("hex"), `tcId ${vector.tcId}`).toBe(vector.shared);
    const isZero = /^0*$/.test(vector.shared);
    expect(good, `tcId ${vector.tcId}`).toBe(isZero ? 0 : 1);
    if (isZero) zeros++;
    count++;
  }
  expect(count).toBe(518);
  expect(zeros).toBeGreaterThan(0);
});

test("x25519Base is the multiple of the base point 9", () => {
  // Bytes whose digits carry all the way or not at all, single bits, and chance.
  const edges = [0, 1, 7, 8, 0x77, 0x78, 0x80, 0x88, 0x8f, 0xf0, 0xf8, 0xff].map((byte) =>
    new Uint8Array(32).fill(byte),
  );
  const bits = Array.from({ length: 256 }, (_, bit) =>
    new Uint8Array(32).fill(1 << (bit & 7), bit >> 3, (bit >> 3) + 1),
  );
  const random = Array.from({ length: 500 }, () => new Uint8Array(randomBytes(32)));
  for (const scalar of [...edges, ...bits, ...random]) {
    const nine = new Uint8Array(32);
    nine[0] = 9;
    const expected = new Uint8Array(32);
    x25519(expected, scalar, nine);
    const out = new Uint8Array(32);
    x25519Base(out, scalar);
    expect(Buffer.from(out).toString("hex")).toBe(Buffer.from(expected).toString("hex"));
  }
  expect(() => x25519Base(new Uint8Array(32), new Uint8Array(31))).toThrow(RangeError);
  expect(() => x25519(new Uint8Array(32), new Uint8Array(32), new Uint8Array(33))).toThrow(RangeError);
});

test("Wycheproof x25519, one to four side by side: each as if it were alone", () => {
  const all = [...vectors<XdhVector>("x25519")].map(({ vector }) => vector);
  let zeros = 0;
  for (let at = 0, group = 0; at < all.length; group++) {
    const some = all.slice(at, at + 1 + (group % X25519_PAIRS_MAX));
    at += some.length;
    const joined = (part: (vector: XdhVector) => string): Uint8Array => hex(some.map(part).join(""));
    const publics = new Uint8Array(32 * X25519_PAIRS_MAX).fill(1);
    const shareds = new Uint8Array(32 * X25519_PAIRS_MAX).fill(1);
    const scalars = joined((vector) => vector.private);
    const usable = x25519Pairs(
      publics,
      shareds,
      scalars,
      joined((vector) => vector.public),
      some.length,
    );
    some.forEach((vector, i) => {
      const expected = new Uint8Array(32);
      x25519Base(expected, hex(vector.private));
      expect(publics.slice(32 * i, 32 * i + 32), `tcId ${vector.tcId}`).toEqual(expected);
      expect(Buffer.from(shareds.slice(32 * i, 32 * i + 32)).toString("hex")).toBe(vector.shared);
      const isZero = /^0*$/.test(vector.shared);
      expect((usable >> i) & 1, `tcId ${vector.tcId}`).toBe(isZero ? 0 : 1);
      if (isZero) zeros++;
    });
    expect(usable >> some.length).toBe(0);
    expect(publics.slice(32 * some.length).every((byte) => byte === 1)).toBe(true);
    expect(shareds.slice(32 * some.length).every((byte) => byte === 1)).toBe(true);
  }
  expect(zeros).toBeGreaterThan(0);
  const four = (): Uint8Array => new Uint8Array(128);
  for (const count of [0, -1, 5]) expect(() => x25519Pairs(four(), four(), four(), four(), count)).toThrow(RangeError);
  expect(() => x25519Pairs(four(), four(), four(), new Uint8Array(95), 3)).toThrow(RangeError);
  expect(() => x25519Pairs(four(), new Uint8Array(127), four(), four(), 4)).toThrow(RangeError);
});
