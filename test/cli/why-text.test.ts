// What `longhaul why` prints, word for word, and as JSON.
import { expect, test } from "vitest";
import type { ShownDocument } from "../../src/cli/read-status.js";
import { isComplete, Readings } from "../../src/cli/read-status.js";
import { unclaimedFinding, type Verdict, verdictJson, verdictLines } from "../../src/cli/why-text.js";
import { diagnose, findCauses } from "../../src/metrics/diagnosis.js";
import { NOW_MS, PEER_KEY } from "../metrics/facts.js";
import { fullDocument, SILENT_KEY, uapiDocument } from "./documents.js";

const piped = { colour: false, width: Number.POSITIVE_INFINITY };

function verdictOn(document: ShownDocument, publicKey: string): Verdict {
  const reading = new Readings(document).of(publicKey);
  return {
    interfaceName: document.interface.name,
    reading,
    diagnosis: diagnose(reading.peer, NOW_MS),
    observedMs: 0,
    isComplete: isComplete(reading),
    findings: findCauses(reading),
  };
}

test("a silent peer: the cause, its evidence and what to do", () => {
  expect(verdictLines(verdictOn(fullDocument(), SILENT_KEY), piped).join("\n")).toMatchInlineSnapshot(`
    "hq: c2lsZW50IGtleSBzaWxlbnQga2V5IHNpbGVudCBrZXk=
    no answer from 203.0.113.7:51820 since 11:58: 12 initiations sent, no reply — is UDP 51820 forwarded there?

    1. the peer has never answered (known)
       nothing has ever come back from 203.0.113.7:51820: wrong address or port, a firewall on the way, no daemon there, or one that does not know this device's key
       - 12 initiations since 11:58, no reply
       - waiting for it: 4 packets
       next:
       - see on the other side whether our datagrams arrive:
           tcpdump -n udp port 51820
       - if they do: is the daemon there running, and does it know this device? If not: is UDP 51820 forwarded there?
       - this device's key, for the other side:
           wg show hq public-key"
  `);
});

test("commands are never broken, however narrow the terminal", () => {
  const lines = verdictLines(verdictOn(fullDocument(), SILENT_KEY), { colour: false, width: 40 });
  expect(lines).toContain("       wg show hq public-key");
  expect(lines.every((line) => line.length <= 60)).toBe(true);
});

test("in colours", () => {
  const [, , , heading] = verdictLines(verdictOn(fullDocument(), SILENT_KEY), { ...piped, colour: true });
  expect(heading).toBe("\u001b[1m1. the peer has never answered\u001b[0m \u001b[31m(known)\u001b[0m");
});

test("a peer that loses packets, with what was before", () => {
  expect(verdictLines(verdictOn(fullDocument(), PEER_KEY), piped).join("\n")).toMatchInlineSnapshot(`
    "hq: lisbon (cGVlciBrZXkgcGVlciBrZXkgcGVlciBrZXkgcGVlciA=)
    up, 412 Mbit/s, 0.34 % loss on the path, 81 ms

    1. packets are lost on the path (likely)
       0.34 % of what the peer sends is lost between it and this host
       - of late: 0.34 %; lost: 40 packets since the start
       - longest gap: 3 packets; lost in this host's socket: 0
       next:
       - run longhaul why on the other side too: that tells whether it is one direction
       - find the hop:
           mtr --udp --report 203.0.113.7

    Earlier, and not now:
    - packets come twice: refused as counter_replayed: 7 packets since the start"
  `);
});

test("with the UAPI alone", () => {
  expect(verdictLines(verdictOn(uapiDocument(), SILENT_KEY), piped).join("\n")).toMatchInlineSnapshot(`
    "wg0: c2lsZW50IGtleSBzaWxlbnQga2V5IHNpbGVudCBrZXk=
    up, last handshake 30 s ago

    Nothing wrong seen.

    Only the UAPI socket answers: losses, drops and handshakes are not known."
  `);
});

test("an address that nobody has", () => {
  const documents = [fullDocument()];
  const way = { address: "10.1.2.3", device: "hq", isLocal: false };
  const finding = unclaimedFinding(documents, "10.1.2.3", way);
  expect(finding).toMatchObject({ cause: "not_in_allowed_ips", isActive: true, confidence: "known" });
  expect(finding.evidence).toEqual(["ip route get 10.1.2.3 says: dev hq"]);
  expect(finding.next[1]?.command).toBe("longhaul reload hq");
});

test("JSON has everything, null where there is nothing", () => {
  const json = JSON.parse(JSON.stringify(verdictJson(verdictOn(fullDocument(), SILENT_KEY)))) as Record<string, never>;
  expect(json).toMatchObject({
    schema: 1,
    interface: "hq",
    peer: { publicKey: SILENT_KEY, endpoint: "203.0.113.7:51820" },
    state: "silent",
    source: "daemon",
    observedSeconds: 0,
    causes: [{ cause: "never_answered", confidence: "known", isActive: true, title: "the peer has never answered" }],
  });
  const [{ next }] = json["causes"] as unknown as [{ next: Array<{ command: string | null }> }];
  expect(next.map(({ command }) => command)).toEqual(["tcpdump -n udp port 51820", null, "wg show hq public-key"]);
});
