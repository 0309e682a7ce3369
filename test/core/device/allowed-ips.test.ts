import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AllowedIps } from "../../../src/core/device/allowed-ips.js";
import type { Prefix } from "../../../src/core/device/update.js";

const bitsOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");

function masked(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, i) => byte & (0xff00 >>> Math.min(Math.max(length - i * 8, 0), 8)) & 0xff);
}

function prefixOf(family: 4 | 6, bytes: readonly number[], length: number): Prefix {
  const full = new Uint8Array(family === 4 ? 4 : 16);
  full.set(bytes);
  return { family, bytes: masked(full, length), length };
}

/** "family bits": a prefix as text; what it starts with decides everything. */
const textOf = (prefix: Prefix): string => `${prefix.family} ${bitsOf(prefix.bytes).slice(0, prefix.length)}`;

/** The rule itself over a Map, which also keeps the order in which prefixes were given. */
class NaiveAllowedIps {
  readonly #owners = new Map<string, number>();

  insert(prefix: Prefix, peer: number): number {
    const text = textOf(prefix);
    const previous = this.#owners.get(text) ?? -1;
    if (previous !== peer) this.#owners.delete(text);
    this.#owners.set(text, peer);
    return previous;
  }

  remove(prefix: Prefix, peer: number): boolean {
    return this.#owners.get(textOf(prefix)) === peer && this.#owners.delete(textOf(prefix));
  }

  removePeer(peer: number): number {
    const texts = this.listOf(peer);
    for (const text of texts) this.#owners.delete(text);
    return texts.length;
  }

  lookup(family: 4 | 6, address: Uint8Array): number {
    const text = `${family} ${bitsOf(address)}`;
    for (let length = text.length; length >= 2; length--) {
      const owner = this.#owners.get(text.slice(0, length));
      if (owner !== undefined) return owner;
    }
    return -1;
  }

  listOf(peer: number): string[] {
    return [...this.#owners].filter(([, owner]) => owner === peer).map(([text]) => text);
  }

  get size(): number {
    return this.#owners.size;
  }
}

const listOf = (table: AllowedIps, peer: number): string[] => {
  const texts: string[] = [];
  table.forEachOf(peer, (prefix) => texts.push(textOf(prefix)));
  return texts;
};

function lookup(table: AllowedIps, family: 4 | 6, address: Uint8Array): number {
  const packet = new Uint8Array(40).fill(0xaa);
  packet.set(address, 13);
  return family === 4 ? table.lookup4(packet, 13) : table.lookup6(packet, 13);
}

// Few distinct words and bytes, so that prefixes nest, branch and meet each other often.
const word = fc.oneof(
  { weight: 3, arbitrary: fc.constant([0, 0, 0, 0]) },
  { weight: 2, arbitrary: fc.constantFrom([0, 0, 0, 1], [0x80, 0, 0, 0], [0xff, 0xff, 0xff, 0xff], [0, 0, 0x80, 1]) },
);
const byte = fc.constantFrom(0, 1, 0x80, 0x81, 0xff);
const address = fc.oneof(
  fc.record({ family: fc.constant(4 as const), bytes: fc.array(byte, { minLength: 4, maxLength: 4 }) }),
  fc.record({
    family: fc.constant(6 as const),
    bytes: fc.array(word, { minLength: 4, maxLength: 4 }).map((words) => words.flat()),
  }),
);
const prefix = fc
  .tuple(address, fc.oneof(fc.nat(128), fc.constantFrom(0, 1, 8, 31, 32, 33, 63, 64, 65, 95, 96, 97, 127, 128)))
  .map(([{ family, bytes }, length]) => prefixOf(family, bytes, Math.min(length, family === 4 ? 32 : 128)));
const peer = fc.nat(3);

type Operation =
  | { kind: "insert"; prefix: Prefix; peer: number }
  | { kind: "remove"; prefix: Prefix; peer: number }
  | { kind: "removePeer"; peer: number }
  | { kind: "removeOwn"; peer: number; nth: number };
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("insert" as const), prefix, peer }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), prefix, peer }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("removeOwn" as const), peer, nth: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("removePeer" as const), peer }) },
);

describe("against the rule itself", () => {
  const apply = (table: AllowedIps, naive: NaiveAllowedIps, operation: Operation): void => {
    if (operation.kind === "insert") {
      expect(table.insert(operation.prefix, operation.peer)).toBe(naive.insert(operation.prefix, operation.peer));
    } else if (operation.kind === "remove") {
      expect(table.remove(operation.prefix, operation.peer)).toBe(naive.remove(operation.prefix, operation.peer));
    } else if (operation.kind === "removePeer") {
      expect(table.removePeer(operation.peer)).toBe(naive.removePeer(operation.peer));
    } else {
      const own: Prefix[] = [];
      table.forEachOf(operation.peer, (prefix) => own.push(prefix));
      if (own.length === 0) return;
      const chosen = own[operation.nth % own.length];
      expect(table.remove(chosen, operation.peer + 1)).toBe(false);
      expect(table.remove(chosen, operation.peer)).toBe(true);
      expect(naive.remove(chosen, operation.peer)).toBe(true);
    }
  };

  test("any sequence of changes", () => {
    const operations = fc.array(operation, { maxLength: 120, size: "max" });
    const addresses = fc.array(address, { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(operations, addresses, (operations, addresses) => {
        const table = new AllowedIps();
        const naive = new NaiveAllowedIps();
        for (const operation of operations) apply(table, naive, operation);
        for (const { family, bytes } of addresses) {
          expect(lookup(table, family, Uint8Array.from(bytes))).toBe(naive.lookup(family, Uint8Array.from(bytes)));
        }
        for (let peer = 0; peer < 4; peer++) {
          expect(listOf(table, peer)).toEqual(naive.listOf(peer));
          expect(table.countOf(peer)).toBe(naive.listOf(peer).length);
        }
        expect(table.size).toBe(naive.size);
      }),
      { numRuns: 150 },
    );
  });

  test("many unrelated prefixes of every length", () => {
    const anyPrefix = fc
      .tuple(fc.boolean(), fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(128))
      .map(([v4, bytes, length]) =>
        v4 ? prefixOf(4, [...bytes.subarray(0, 4)], length % 33) : prefixOf(6, [...bytes], length),
      );
    fc.assert(
      fc.property(fc.array(anyPrefix, { minLength: 300, maxLength: 300 }), (prefixes) => {
        const table = new AllowedIps();
        const naive = new NaiveAllowedIps();
        for (const [n, prefix] of prefixes.entries()) {
          expect(table.insert(prefix, n % 50)).toBe(naive.insert(prefix, n % 50));
        }
        for (const { family, bytes } of prefixes) {
          const near = bytes.with(bytes.length - 1, bytes[bytes.length - 1] ^ 1);
          for (const address of [bytes, near]) {
            expect(lookup(table, family, address)).toBe(naive.lookup(family, address));
          }
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe("the default routes", () => {
  test.each([4, 6] as const)("IPv%d /0 catches what nothing else does, and leaves the other family alone", (family) => {
    const table = new AllowedIps();
    const size = family === 4 ? 4 : 16;
    table.insert(prefixOf(family, [10], 8), 1);
    expect(lookup(table, family, new Uint8Array(size).fill(255))).toBe(-1);
    expect(table.insert(prefixOf(family, [], 0), 2)).toBe(-1);
    expect(lookup(table, family, new Uint8Array(size).fill(255))).toBe(2);
    expect(lookup(table, family, new Uint8Array(size))).toBe(2);
    expect(lookup(table, family, new Uint8Array(size).fill(10))).toBe(1);
    expect(lookup(table, family === 4 ? 6 : 4, new Uint8Array(family === 4 ? 16 : 4))).toBe(-1);
    expect(table.remove(prefixOf(family, [], 0), 2)).toBe(true);
    expect(lookup(table, family, new Uint8Array(size))).toBe(-1);
  });
});

test("host bits of a prefix do not count", () => {
  const table = new AllowedIps();
  table.insert({ family: 4, bytes: Uint8Array.of(10, 1, 2, 3), length: 8 }, 0);
  expect(table.insert({ family: 4, bytes: Uint8Array.of(10, 4, 4, 4), length: 8 }, 0)).toBe(0);
  table.forEachOf(0, ({ bytes }) => expect(bytes).toEqual(Uint8Array.of(10, 0, 0, 0)));
  expect(table.remove({ family: 4, bytes: Uint8Array.of(10, 9, 9, 9), length: 8 }, 0)).toBe(true);
  expect(table.size).toBe(0);
});

test("a listing is in the order in which the peer got its prefixes; giving one again changes nothing", () => {
  const table = new AllowedIps();
  const [a, b, c] = [prefixOf(6, [0xfe], 8), prefixOf(4, [10], 8), prefixOf(4, [9], 8)];
  expect([a, b, c, a].map((prefix) => table.insert(prefix, 0))).toEqual([-1, -1, -1, 0]);
  expect(listOf(table, 0)).toEqual([a, b, c].map(textOf));
  expect([table.insert(b, 1), table.insert(b, 0)]).toEqual([0, 1]);
  expect(listOf(table, 0)).toEqual([a, c, b].map(textOf));
  expect(listOf(table, 1)).toEqual([]);
});

test("a listing may remove each prefix it is shown", () => {
  const table = new AllowedIps();
  for (let n = 0; n < 20; n++) table.insert(prefixOf(4, [n], 8), 3);
  table.forEachOf(3, (prefix) => table.remove(prefix, 3));
  expect(table.size).toBe(0);
});

test("asking for a peer never seen finds nothing", () => {
  const table = new AllowedIps();
  expect([table.countOf(1e6), table.removePeer(1e6), listOf(table, 1e6).length]).toEqual([0, 0, 0]);
  table.insert(prefixOf(4, [1], 8), 100_000);
  expect(table.lookup4(Uint8Array.of(1, 2, 3, 4), 0)).toBe(100_000);
});

describe("size", () => {
  const nth = (n: number): Prefix => prefixOf(4, [n >>> 16, (n >>> 8) & 255, n & 255], 24);

  test("freed nodes serve again: 200 rounds of filling and emptying stay in the memory of one", () => {
    const table = new AllowedIps();
    const fill = (round: number): void => {
      for (let n = 0; n < 1000; n++) table.insert(nth(n * 61 + round * 7919), n % 7);
      for (let n = 0; n < 1000; n++) table.insert(prefixOf(6, [n >>> 8, n & 255, round], 24), n % 7);
    };
    const empty = (): void => {
      for (let peer = 0; peer < 7; peer++) table.removePeer(peer);
    };
    fill(0);
    const bytes = table.memoryBytes;
    for (let round = 1; round < 200; round++) {
      empty();
      expect(table.size).toBe(0);
      fill(round);
    }
    expect(table.memoryBytes).toBe(bytes);
  });

  test("65,000 prefixes go in in under 0.3 s", () => {
    const prefixes = Array.from({ length: 65_000 }, (_, n) => nth(n));
    const tookMs = [1, 2, 3].map(() => {
      const table = new AllowedIps();
      const start = process.cpuUsage();
      for (const prefix of prefixes) table.insert(prefix, 0);
      expect(table.countOf(0)).toBe(65_000);
      return process.cpuUsage(start).user / 1000;
    });
    expect(Math.min(...tookMs)).toBeLessThan(300);
  });

  test("listing and removing a peer cost only what it has, beside a peer with 65,000", () => {
    const table = new AllowedIps();
    for (let n = 0; n < 85_000; n++) table.insert(nth(n), n < 65_000 ? 0 : n);
    const start = process.cpuUsage();
    let listed = 0;
    for (let n = 65_000; n < 85_000; n++) {
      table.forEachOf(n, () => listed++);
      table.removePeer(n);
    }
    // A walk over everything for each would be billions of steps.
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(1000);
    expect(listed).toBe(20_000);
    expect([table.size, table.countOf(0)]).toEqual([65_000, 65_000]);
    for (const [n, owner] of [
      [64_999, 0],
      [65_000, -1],
    ]) {
      expect(lookup(table, 4, Uint8Array.of(n >>> 16, n >>> 8, n, 1))).toBe(owner);
    }
  });
});
