// What `longhaul show` prints, word for word: piped, on a narrow terminal, in colours, and with the UAPI alone.
import { expect, test } from "vitest";
import { showLines } from "../../src/cli/show-text.js";
import { chooseTextStyle, type TextStyle } from "../../src/cli/text-style.js";
import { fullDocument, uapiDocument } from "./documents.js";

const piped: TextStyle = { colour: false, width: Number.POSITIVE_INFINITY };

test("piped: whole lines, no colours", () => {
  expect(showLines(fullDocument(), piped).join("\n")).toMatchInlineSnapshot(`
    "interface: hq
      public key: b3duIGtleSBvd24ga2V5IG93biBrZXkgb3duIGtleQ==
      listening port: 51820
      fwmark: 0xca6c
      mtu: 1420
      daemon: longhaul 1.2.3, openssl, process 4711, for 2 h 5 min
      peers: 2: 1 up, 1 silent

    peer: lisbon
      up, 412 Mbit/s, 0.34 % loss on the path, 81 ms
      public key: cGVlciBrZXkgcGVlciBrZXkgcGVlciBrZXkgcGVlciA=
      preshared key: (hidden)
      endpoint: 203.0.113.7:51820
      allowed ips: 10.99.0.2/32, 192.168.20.0/24
      latest handshake: 30 s ago
      transfer: 12 MiB received, 781 KiB sent
      now: 412 Mbit/s in, 2.0 Mbit/s out
      path: 0.34 % loss of late, 40 of 10,040 packets lost, up to 3 in a row, 5 out of order
      round trip: 81 ms, at least 80 ms, of 3 handshakes
      refused from it: 7 counter_replayed

    peer: c2lsZW50IGtleSBzaWxlbnQga2V5IHNpbGVudCBrZXk=
      no answer from 203.0.113.7:51820 since 11:58: 12 initiations sent, no reply — is UDP 51820 forwarded there?
      preshared key: (hidden)
      endpoint: 203.0.113.7:51820
      allowed ips: 10.99.0.3/32
      transfer: 0 B received, 1.7 KiB sent
      now: 0 bit/s in, 0 bit/s out
      waiting: 4 packets

    where packets went:
      from the network             20,000
        to this host                9,990
        keepalives                     10
        handshakes                      3
        refused: unknown_receiver   1,234
        refused: counter_replayed       7
      from this host               20,000
        to the network              9,000
        waiting                         0
        refused: no_endpoint           12
      unaccounted                       0"
  `);
});

test("on a narrow terminal lines are broken between words, and what is longer stays whole", () => {
  const lines = showLines(fullDocument(), { colour: false, width: 44 });
  expect(lines.slice(9, 24).join("\n")).toMatchInlineSnapshot(`
    "
    peer: lisbon
      up, 412 Mbit/s, 0.34 % loss on the path,
        81 ms
      public key:
        cGVlciBrZXkgcGVlciBrZXkgcGVlciBrZXkgcGVlciA=
      preshared key: (hidden)
      endpoint: 203.0.113.7:51820
      allowed ips: 10.99.0.2/32, 192.168.20.0/24
      latest handshake: 30 s ago
      transfer: 12 MiB received, 781 KiB sent
      now: 412 Mbit/s in, 2.0 Mbit/s out
      path: 0.34 % loss of late, 40 of 10,040
        packets lost, up to 3 in a row, 5 out of
        order"
  `);
  for (const line of lines) if (line.length > 44) expect(line.trim().split(" ").length).toBeLessThan(3);
});

test("colours change nothing but colour", () => {
  const lines = showLines(fullDocument(), { colour: true, width: Number.POSITIVE_INFINITY });
  expect(lines.slice(9, 12).join("\n").replaceAll("\u001b", "ESC")).toMatchInlineSnapshot(`
    "ESC[32m  up, 412 Mbit/s, 0.34 % loss on the path, 81 msESC[0m
      ESC[36mpublic keyESC[0m: cGVlciBrZXkgcGVlciBrZXkgcGVlciBrZXkgcGVlciA=
      ESC[36mpreshared keyESC[0m: (hidden)"
  `);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken away
  const plain = lines.map((line) => line.replace(/\u001b\[\d+m/g, ""));
  expect(plain).toEqual(showLines(fullDocument(), piped));
});

test("with the UAPI alone there is less, and it says so", () => {
  expect(showLines(uapiDocument(), piped).join("\n")).toMatchInlineSnapshot(`
    "interface: wg0
      public key: EyxEK+AQ+9V+cmAzKKp25x/MwVA6riGTJ9FNnJmT9HI=
      listening port: 51820
      note: only the UAPI socket answers: there are the facts of wg(8), and no counters of losses and drops
      peers: 1: 1 up

    peer: c2lsZW50IGtleSBzaWxlbnQga2V5IHNpbGVudCBrZXk=
      up, last handshake 30 s ago
      preshared key: (hidden)
      endpoint: 203.0.113.7:51820
      allowed ips: 10.99.0.3/32
      latest handshake: 30 s ago
      transfer: 1.5 KiB received, 148 B sent
      persistent keepalive: every 25 s"
  `);
});

test("an interface that is down, or not ready, says so at the top", () => {
  const document = fullDocument();
  const down = {
    ...document,
    interface: { ...document.interface, isUp: false },
    health: { isReady: false, reasons: ["the interface is down: ip link set hq up"] },
  };
  const lines = showLines(down, piped);
  expect(lines[0]).toBe("interface: hq (down)");
  expect(lines).toContain("  not ready: the interface is down: ip link set hq up");
});

test("a name with control characters moves no cursor", () => {
  const document = fullDocument();
  const [peer] = document.peers;
  const evil = { ...document, peers: [{ ...peer, name: "a\u001b[2J\nb\u202e" }] };
  expect(showLines(evil, piped)).toContain("peer: a�[2J�b�");
});

test.each([
  [{ isTTY: true, columns: 100 }, {}, { colour: true, width: 100 }],
  [{ isTTY: true, columns: 100 }, { NO_COLOR: "1" }, { colour: false, width: 100 }],
  [{ isTTY: true, columns: 100 }, { NO_COLOR: "" }, { colour: true, width: 100 }],
  [{ isTTY: true, columns: 100 }, { TERM: "dumb" }, { colour: false, width: 100 }],
  [{ isTTY: true }, {}, { colour: true, width: 80 }],
  [{ isTTY: true, columns: 0 }, {}, { colour: true, width: 80 }],
  [{ isTTY: true, columns: 8 }, {}, { colour: true, width: 40 }],
  [{ columns: 100 }, {}, piped],
])("style for %o with %o", (terminal, env, style) => expect(chooseTextStyle(terminal, env)).toEqual(style));
