// KDF vectors published with wireguard-go (device/kdf_test.go), and HKDF of OpenSSL as the second implementation.
import { hkdfSync } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { kdf1, kdf2, kdf3 } from "../../../src/core/noise/kdf.js";
import { createPrimitives, type Primitives } from "../../../src/core/noise/primitives.js";
import { concat, hex, pattern, toHex } from "./bytes.js";

let p: Primitives;
beforeAll(async () => {
  p = await createPrimitives();
});

test.each([
  {
    key: "746573742d6b6579",
    input: "746573742d696e707574",
    outputs: [
      "6f0e5ad38daba1bea8a0d213688736f19763239305e0f58aba697f9ffc41c633",
      "df1194df20802a4fe594cde27e92991c8cae66c366e8106aaa937a55fa371e8a",
      "fac6e2745a325f5dc5d11a5b165aad08b0ada28e7b4e666b7c077934a4d76c24",
    ],
  },
  {
    key: "776972656775617264",
    input: "776972656775617264",
    outputs: [
      "491d43bbfdaa8750aaf535e334ecbfe5129967cd64635101c566d4caefda96e8",
      "1e71a379baefd8a79aa4662212fcafe19a23e2b609a3db7d6bcba8f560e3d25f",
      "31e1ae48bddfbe5de38f295e5452b1909a1b4e38e183926af3780b0c1e1f0160",
    ],
  },
  {
    key: "",
    input: "",
    outputs: [
      "8387b46bf43eccfcf349552a095d8315c4055beb90208fb1be23b894bc2ed5d0",
      "58a0e5f6faefccf4807bff1f05fa8a9217945762040bcec2f4b4a62bdfe0e86e",
      "0ce6ea98ec548f8e281e93e32db65621c45eb18dc6f0a7ad94178610a2f7338e",
    ],
  },
])("published vector, key '$key'", ({ key, input, outputs }) => {
  const [a, b, c] = [new Uint8Array(32), new Uint8Array(32), new Uint8Array(32)];
  kdf3(p, a, b, c, hex(key), hex(input));
  expect([a, b, c].map(toHex)).toEqual(outputs);
  kdf2(p, b, c, hex(key), hex(input));
  expect([b, c].map(toHex)).toEqual(outputs.slice(0, 2));
  kdf1(p, c, hex(key), hex(input));
  expect(toHex(c)).toBe(outputs[0]);
});

test("equals OpenSSL's HKDF with empty info, outputs over inputs", () => {
  for (let length = 0; length <= 64; length++) {
    const key = pattern(32, length);
    const input = pattern(length, 3);
    const expected = new Uint8Array(hkdfSync("blake2s256", input, key, new Uint8Array(0), 96));
    const chainingKey = key.slice();
    const second = new Uint8Array(32);
    const third = new Uint8Array(32);
    kdf3(p, chainingKey, second, third, chainingKey, input);
    expect(concat(chainingKey, second, third)).toEqual(expected);
  }
});

test("the intermediate secret is wiped", () => {
  const seen: Uint8Array[] = [];
  const spy: Primitives = Object.create(p);
  spy.hmac = (out, key, a, b) => {
    seen.push(out);
    p.hmac(out, key, a, b);
  };
  kdf2(spy, new Uint8Array(32), new Uint8Array(32), pattern(32, 1), pattern(32, 2));
  expect(seen).toHaveLength(3);
  expect(toHex(seen[0])).toBe("00".repeat(32));
  expect(toHex(seen[1])).not.toBe("00".repeat(32));
});
