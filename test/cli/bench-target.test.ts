import { expect, test } from "vitest";
import { chooseTarget } from "../../src/cli/bench-target.js";
import type { ShownDocument } from "../../src/cli/read-status.js";
import { PEER_KEY } from "../metrics/facts.js";
import { fullDocument, SILENT_KEY } from "./documents.js";

const document = fullDocument();
const { name } = document.interface;
const lisbon = document.peers[0]!;
const endpointAddress = lisbon.endpoint!.replace(/:\d+$/, "");
const elsewhere = async (): Promise<string> => "eth0";

test.each(["lisbon", "LISBON", PEER_KEY, PEER_KEY.slice(0, 6), "10.99.0.2"])(
  "%s is Lisbon's own address",
  async (word) => {
    expect(lisbon.allowedIps).toContain("10.99.0.2/32");
    const target = await chooseTarget([document], word, elsewhere);
    expect(target).toEqual({ interfaceName: name, address: "10.99.0.2", endpointAddress });
  },
);

test("an address in a network behind a peer is asked itself, and its endpoint is that of the peer", async () => {
  const target = await chooseTarget([document], "192.168.20.5", elsewhere);
  expect(target).toEqual({ interfaceName: name, address: "192.168.20.5", endpointAddress });
});

test("an address of nobody goes where the kernel sends it", async () => {
  const target = await chooseTarget([document], "10.98.0.9", elsewhere);
  expect(target).toEqual({ interfaceName: "eth0", address: "10.98.0.9", endpointAddress: null });
});

test("of two interfaces with that address the kernel's way decides; a name needs another word", async () => {
  const other = { ...document, interface: { ...document.interface, name: "wg9" } } as ShownDocument;
  const both = [document, other];
  expect((await chooseTarget(both, "10.99.0.2", async () => "wg9")).interfaceName).toBe("wg9");
  await expect(chooseTarget(both, "lisbon", elsewhere)).rejects.toThrow("lisbon can be 2 peers");
});

test("what is no peer, and one without an address of its own, are said so", async () => {
  await expect(chooseTarget([document], "berlin", elsewhere)).rejects.toThrow("no peer is called berlin");
  await expect(chooseTarget([document], "192.168.20.0/24", elsewhere)).resolves.toMatchObject({ address: "10.99.0.2" });
  const wide = { ...document, peers: [{ ...document.peers[1]!, allowedIps: ["10.0.0.0/8"] }] } as ShownDocument;
  await expect(chooseTarget([wide], SILENT_KEY, elsewhere)).rejects.toThrow("no address of its own");
});
