// Which peer a word means.
import { expect, test } from "vitest";
import { findPeers } from "../../src/cli/find-peer.js";
import type { ShownDocument } from "../../src/cli/read-status.js";
import { PEER_KEY } from "../metrics/facts.js";
import { fullDocument, SILENT_KEY } from "./documents.js";

const documents = [fullDocument()];

test.each([
  ["lisbon", [PEER_KEY]],
  ["LISBON", [PEER_KEY]],
  [PEER_KEY, [PEER_KEY]],
  ["cGVl", [PEER_KEY]],
  ["cGV", []], //  too short for a key
  ["c2lsZW50", [SILENT_KEY]],
  ["10.99.0.2", [PEER_KEY]],
  ["192.168.20.17", [PEER_KEY]],
  ["192.168.20.128/25", [PEER_KEY]],
  ["192.168.0.0/16", []], //  more than any has
  ["10.99.0.3", [SILENT_KEY]],
  ["10.99.0.4", []],
  ["fd00::1", []],
  ["berlin", []],
])("%s", (word, keys) => expect(findPeers(documents, word).map(({ peer }) => peer.publicKey)).toEqual(keys));

test("of the prefixes that contain an address the longest wins", () => {
  const [first, second] = fullDocument().peers;
  const nested = {
    ...fullDocument(),
    peers: [
      { ...first, allowedIps: ["10.0.0.0/8", "0.0.0.0/0"] },
      { ...second, allowedIps: ["10.99.0.0/16"] },
    ],
  } as ShownDocument;
  expect(findPeers([nested], "10.99.0.2").map(({ peer }) => peer.publicKey)).toEqual([SILENT_KEY]);
  expect(findPeers([nested], "10.98.0.2").map(({ peer }) => peer.publicKey)).toEqual([PEER_KEY]);
  expect(findPeers([nested], "192.0.2.1").map(({ peer }) => peer.publicKey)).toEqual([PEER_KEY]);
});

test("a name on two interfaces is both", () => {
  expect(findPeers([fullDocument(), fullDocument()], "lisbon")).toHaveLength(2);
});
