// What runs goes into the text of its file and reads back as the same, and nothing else of the file is touched.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatEndpoint, parseEndpoint } from "../../src/config/endpoint.js";
import type { GatewayConfig } from "../../src/config/gateway-config.js";
import { encodeBase64Key, formatBase64Key, parseBase64Key, parseBase64KeyBytes } from "../../src/config/key.js";
import { parseGatewayConfig } from "../../src/config/load-config.js";
import { mergeConfig, type RunningState } from "../../src/config/merge-config.js";
import { formatPrefix, parsePrefix } from "../../src/config/prefix.js";
import type { PeerSnapshot } from "../../src/core/device/update.js";
import { otherKey, presharedKey, privateKey, publicKey } from "./broken-interfaces.js";

const NO_KEY = new Uint8Array(32);

function read(text: string | Buffer): GatewayConfig {
  return parseGatewayConfig(text, { interfaceName: "hq", localNetworks: [], keyIsOptional: true }).config;
}

function snapshot(key: string, more: Partial<PeerSnapshot> = {}): PeerSnapshot {
  return {
    publicKey: parseBase64Key(key),
    presharedKey: NO_KEY,
    endpoint: undefined,
    persistentKeepaliveS: 0,
    lastHandshakeMs: 0,
    receivedBytes: 0,
    sentBytes: 0,
    allowedIps: [],
    ...more,
  };
}

const at = (text: string) => parseEndpoint(text, () => 0);
const prefixes = (...texts: string[]) => texts.map((text) => parsePrefix(text));

/** What runs, as a file says it. */
function running(config: GatewayConfig, more: Partial<RunningState["device"]> = {}): RunningState {
  const device = {
    privateKey: config.interface.privateKey.bytes.slice(),
    listenPort: config.interface.listenPort ?? 0,
    fwmark: config.interface.fwmark ?? 0,
    peers: config.peers.map(
      (peer): PeerSnapshot => ({
        ...snapshot(formatBase64Key(peer.publicKey)),
        presharedKey: peer.presharedKey?.bytes.slice() ?? NO_KEY,
        endpoint: peer.endpoint?.kind === "address" ? peer.endpoint.address : undefined,
        persistentKeepaliveS: peer.persistentKeepaliveS ?? 0,
        allowedIps: [...peer.allowedIps],
      }),
    ),
    ...more,
  };
  return { device, addresses: config.interface.addresses, mtu: config.interface.mtu };
}

function merge(text: string, state: RunningState): { text: string; changes: readonly string[] } {
  const { bytes, changes } = mergeConfig(Buffer.from(text), text === "" ? undefined : read(text), state);
  return { text: bytes.toString(), changes };
}

const file = `# Berlin's gateway
[Interface]   # that is us
PrivateKey = ${privateKey}
Address=10.77.0.1/24  # inside
ListenPort = 51820 # the firewall lets it in
DNS = 10.0.0.1
PostUp = iptables -A FORWARD -i %i -j ACCEPT
SaveConfig = true

# our first
# and best
[Peer]
# friendly_name = Lisbon
PublicKey = ${publicKey}
AllowedIPs = 10.77.0.2/32, 192.168.2.0/24
AllowedIPs = 192.168.3.0/24 # their second LAN
Endpoint = lisbon.example.org:51820

# soon
[Peer]
# friendly_name = Oslo
PublicKey = ${otherKey}
AllowedIPs = 10.77.0.3/32
Endpoint = 192.0.2.3:51820

[Daemon]
LogLevel = debug
`;

describe("what changed is written, the rest stays", () => {
  test("nothing", () => {
    expect(merge(file, running(read(file)))).toEqual({ text: file, changes: [] });
  });

  test("port, mark, address, MTU: in place, with their comments", () => {
    const state = {
      ...running(read(file), { listenPort: 7777, fwmark: 0x33 }),
      addresses: ["10.77.0.1/24", "10.1.0.1/16"],
    };
    const { text, changes } = merge(file, state);
    expect(text).toBe(
      file
        .replace("51820 # the", "7777 # the")
        .replace("Address=10.77.0.1/24", "Address=10.77.0.1/24, 10.1.0.1/16")
        .replace("SaveConfig = true\n", "SaveConfig = true\nFwMark = 0x33\n"),
    );
    expect(changes).toEqual(["Address = 10.77.0.1/24, 10.1.0.1/16", "ListenPort = 7777", "FwMark = 0x33"]);
    const withMtu = file.replace("SaveConfig", "MTU = 1400\nSaveConfig");
    expect(merge(withMtu, { ...running(read(withMtu)), mtu: 1280 }).text).toBe(withMtu.replace("1400", "1280"));
    expect(merge(file, { ...running(read(file)), mtu: 1280, addresses: undefined }).changes).toEqual([]);
  });

  test("a private key that a hook hands over stays out of the file", () => {
    const byHook = `[Interface]\nListenPort = 1\nPostUp = wg set %i private-key /run/key\n`;
    const state = running(read(byHook), { privateKey: parseBase64Key(privateKey) });
    expect(merge(byHook, state)).toEqual({ text: byHook, changes: [] });
  });

  test("a peer that moved, and one by name", () => {
    const state = running(read(file));
    state.device.peers[0]!.endpoint = at("203.0.113.1:1");
    state.device.peers[1]!.endpoint = at("203.0.113.2:2");
    state.device.peers[1]!.allowedIps = prefixes("10.77.0.3/32", "fd00::/64");
    state.device.peers[1]!.persistentKeepaliveS = 25;
    expect(merge(file, state).text).toBe(
      file
        .replace("192.0.2.3:51820", "203.0.113.2:2\nPersistentKeepalive = 25")
        .replace("10.77.0.3/32", "10.77.0.3/32, fd00::/64"),
    );
  });

  test("several lines of prefixes become one, where the first was", () => {
    const state = running(read(file));
    state.device.peers[0]!.allowedIps = prefixes("10.77.0.2/32");
    expect(merge(file, state).text).toBe(
      file
        .replace("10.77.0.2/32, 192.168.2.0/24", "10.77.0.2/32")
        .replace("AllowedIPs = 192.168.3.0/24 # their second LAN\n", ""),
    );
    state.device.peers[0]!.allowedIps = [];
    expect(merge(file, state).text).not.toContain("AllowedIPs = 10.77.0.2");
  });

  test("a peer that is gone takes its comments along, a new one comes behind the last", () => {
    const state = running(read(file));
    state.device.peers = [
      state.device.peers[0]!,
      snapshot(presharedKey, { allowedIps: prefixes("10.9.0.0/16"), endpoint: at("[2001:db8::1]:1") }),
    ];
    const { text, changes } = merge(file, state);
    const [before] = file.split("\n# soon");
    expect(text).toBe(
      `${before}\n[Peer]\nPublicKey = ${presharedKey}\nAllowedIPs = 10.9.0.0/16\nEndpoint = [2001:db8::1]:1\n\n[Daemon]\nLogLevel = debug\n`,
    );
    expect(changes).toEqual([`peer ${otherKey} (Oslo): removed`, `peer ${presharedKey}: added`]);
  });

  test("keys: the private one in place, preshared ones come and go, and no change names one", () => {
    const newKey = Buffer.alloc(32, 0x42).toString("base64");
    const state = running(read(file), { privateKey: parseBase64Key(newKey) });
    state.device.peers[0]!.presharedKey = parseBase64Key(presharedKey);
    const { text, changes } = merge(file, state);
    expect(text).toBe(
      file
        .replace(privateKey, newKey)
        .replace(
          "Endpoint = lisbon.example.org:51820\n",
          `Endpoint = lisbon.example.org:51820\nPresharedKey = ${presharedKey}\n`,
        ),
    );
    expect(changes).toEqual(["PrivateKey: the one that runs", `peer ${publicKey} (Lisbon): PresharedKey: as it runs`]);
    const gone = running(read(text));
    gone.device.peers[0]!.presharedKey = NO_KEY;
    expect(merge(text, gone).text).toBe(text.replace(`PresharedKey = ${presharedKey}\n`, ""));
  });

  test("the mark of the full tunnel is not saved, one that was asked for is", () => {
    const full = file.replace("10.77.0.3/32", "0.0.0.0/0");
    expect(merge(full, running(read(full), { fwmark: 51_820 })).changes).toEqual([]);
    const marked = full.replace("ListenPort", "FwMark = 1\nListenPort");
    expect(merge(marked, running(read(marked), { fwmark: 2 })).text).toBe(marked.replace("FwMark = 1", "FwMark = 0x2"));
    expect(merge(marked, running(read(marked), { fwmark: 0 })).text).toBe(full);
  });

  test("line ends of Windows, and a last line without an end", () => {
    const dos = file.replaceAll("\n", "\r\n").trimEnd();
    const state = running(read(dos), { fwmark: 7 });
    state.device.peers.push(snapshot(presharedKey));
    const { text } = merge(dos, state);
    expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r]/);
    expect(text).toContain("SaveConfig = true\r\nFwMark = 0x7\r\n");
    expect(read(text).peers).toHaveLength(3);
  });

  test("into a file that somebody touched", () => {
    const state: RunningState = {
      device: { privateKey: parseBase64Key(privateKey), listenPort: 7777, fwmark: 0, peers: [snapshot(publicKey)] },
      addresses: ["10.0.0.1/24"],
      mtu: 1420,
    };
    expect(merge("", state).text).toBe(
      `[Interface]\nAddress = 10.0.0.1/24\nListenPort = 7777\nPrivateKey = ${privateKey}\n\n[Peer]\nPublicKey = ${publicKey}\n`,
    );
  });
});

describe("whatever runs, and whatever the file was", () => {
  const key = fc.integer({ min: 1, max: 40 }).map((seed) => new Uint8Array(32).fill(seed));
  const prefix = fc.oneof(
    fc
      .tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }))
      .map(([address, length]) => parsePrefix(`${address}/${length}`)),
    fc
      .tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }))
      .map(([address, length]) => `${address}/${length}`)
      .filter(isPrefix)
      .map((text) => parsePrefix(text)),
  );
  const endpoint = fc.option(
    fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 })).map(([address, port]) => at(`${address}:${port}`)),
    { nil: undefined },
  );
  const peer = fc.record({
    publicKey: key,
    presharedKey: fc.oneof(key, fc.constant(NO_KEY)),
    endpoint,
    persistentKeepaliveS: fc.nat(65_535),
    allowedIps: fc.array(prefix, { maxLength: 4 }),
  });
  const peers = fc
    .uniqueArray(peer, { maxLength: 5, selector: ({ publicKey }) => publicKey[0] })
    .map((list) => withoutSharedPrefixes(list.map((one) => ({ ...snapshot(privateKey), ...one }))));
  const device = fc.record({
    privateKey: fc.integer({ min: 50, max: 60 }).map((seed) => new Uint8Array(32).fill(seed)),
    listenPort: fc.integer({ min: 1, max: 65_535 }),
    fwmark: fc.nat(0xffff_ffff),
    peers,
  });
  const addresses = fc.subarray(["10.0.0.1/24", "10.1.0.1/32", "fd00::1/64"]);
  const state = fc.record({ device, addresses, mtu: fc.constant(undefined) });
  const comment = fc.constantFrom("", "# a comment", "  ", "# friendly_name = x");

  test("reads back as what runs, twice as once, and keeps every comment of a file that it does not empty", () => {
    fc.assert(
      fc.property(state, state, comment, (first, second, words) => {
        const begun = mergeConfig(Buffer.from(`# head\n${words}\n`), undefined, first).bytes;
        expectSame(read(begun), first);
        const merged = mergeConfig(begun, read(begun), second).bytes;
        expectSame(read(merged), second);
        expect(mergeConfig(merged, read(merged), second).changes).toEqual([]);
        expect(merged.toString()).toContain("# head\n");
      }),
      { numRuns: 80 },
    );
  });

  function expectSame(config: GatewayConfig, { device, addresses }: RunningState): void {
    const hasDefault = device.peers.some(({ allowedIps }) => allowedIps.some(({ length }) => length === 0));
    const mark = config.interface.fwmark ?? 0;
    expect(hasDefault && mark === 0 ? device.fwmark : mark).toBe(device.fwmark);
    expect(config.interface.privateKey.bytes).toEqual(device.privateKey);
    expect(config.interface.listenPort).toBe(device.listenPort);
    expect([...config.interface.addresses].sort()).toEqual([...addresses!].sort());
    const plain = config.peers.map((one) => ({
      key: formatBase64Key(one.publicKey),
      preshared: one.presharedKey?.bytes ?? NO_KEY,
      keepalive: one.persistentKeepaliveS ?? 0,
      prefixes: one.allowedIps.map(formatPrefix).sort(),
    }));
    const expected = device.peers.map((one) => ({
      key: formatBase64Key(one.publicKey),
      preshared: one.presharedKey,
      keepalive: one.persistentKeepaliveS,
      prefixes: one.allowedIps.map(formatPrefix).sort(),
    }));
    const byKey = (a: { key: string }, b: { key: string }): number => (a.key < b.key ? -1 : 1);
    expect(plain.sort(byKey)).toEqual(expected.sort(byKey));
    for (const one of device.peers) {
      if (one.endpoint === undefined) continue;
      const saved = config.peers.find(({ publicKey }) => publicKey[0] === one.publicKey[0])!.endpoint;
      expect(saved?.kind === "address" && formatEndpoint(saved.address)).toBe(formatEndpoint(one.endpoint));
    }
  }
});

test("keys in base64, from and to bytes, as node:crypto has them", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
      const text = Buffer.from(key).toString("base64");
      expect(encodeBase64Key(key).toString()).toBe(text);
      const padded = Buffer.from(`x${text}y`);
      expect(parseBase64KeyBytes(padded, 1, 45)).toEqual(key);
    }),
  );
  fc.assert(
    fc.property(fc.nat(43), fc.nat(255), (at, byte) => {
      const bytes = Buffer.from(privateKey);
      bytes[at] = byte;
      const outcome = (parse: () => Uint8Array): unknown => {
        try {
          return parse();
        } catch (error) {
          return (error as Error).message;
        }
      };
      const text = bytes.toString("latin1");
      expect(outcome(() => parseBase64KeyBytes(bytes, 0, 44))).toEqual(outcome(() => parseBase64Key(text)));
    }),
    { numRuns: 500 },
  );
});

function isPrefix(text: string): boolean {
  try {
    parsePrefix(text);
    return true;
  } catch {
    return false;
  }
}

/** A device has each prefix once. */
function withoutSharedPrefixes(peers: PeerSnapshot[]): PeerSnapshot[] {
  const seen = new Set<string>();
  for (const peer of peers) {
    peer.allowedIps = peer.allowedIps.filter((prefix) => {
      const text = formatPrefix(prefix);
      return !seen.has(text) && seen.add(text);
    });
  }
  return peers;
}
