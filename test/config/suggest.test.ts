import { expect, test } from "vitest";
import { keyNames } from "../../src/config/config-keys.js";
import { editDistance, suggest } from "../../src/config/suggest.js";

test.each([
  ["Adress", "Address"],
  ["PrivatKey", "PrivateKey"],
  ["ListenPorts", "ListenPort"],
  ["Port", "ListenPort"],
  ["postup", "PostUp"],
  ["PosUp", "PostUp"],
  ["Mtu0", "MTU"],
  ["DSN", "DNS"],
  ["Gateway", undefined],
  ["x", undefined],
  ["", undefined],
  ["Key", undefined],
  ["PrivateKey".repeat(10), undefined],
])("%j is meant for %j", (word, meant) => {
  expect(suggest(word, keyNames("Interface"))).toBe(meant);
});

test("edit distance", () => {
  expect([editDistance("kitten", "sitting"), editDistance("", "abc"), editDistance("abc", "abc")]).toEqual([3, 3, 0]);
  expect([editDistance("josn", "json"), editDistance("ab", "ba"), editDistance("ca", "abc")]).toEqual([1, 1, 3]);
});
