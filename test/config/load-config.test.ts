// What good configuration files mean, and what is warned about.
import { describe, expect, test } from "vitest";
import type { LocalNetwork } from "../../src/config/config-draft.js";
import { formatWarning } from "../../src/config/config-problem.js";
import { formatEndpoint } from "../../src/config/endpoint.js";
import { deviceUpdateOf, type GatewayConfig, wipeKeys } from "../../src/config/gateway-config.js";
import { formatBase64Key } from "../../src/config/key.js";
import { type LoadedConfig, parseGatewayConfig } from "../../src/config/load-config.js";
import { formatPrefix } from "../../src/config/prefix.js";
import { otherKey, presharedKey, privateKey, publicKey } from "./broken-interfaces.js";

const start = `[Interface]\nPrivateKey = ${privateKey}\nListenPort = 51820\n`;
const peer = `${start}[Peer]\nPublicKey = ${publicKey}\n`;
const lan: LocalNetwork = { prefix: "192.168.10.3/24", interfaceName: "eth0" };

function read(text: string | Buffer, localNetworks: readonly LocalNetwork[] = []): LoadedConfig {
  return parseGatewayConfig(text, { interfaceName: "hq", localNetworks, credentialsDirectory: "/nonexistent" });
}

function warningsOf(text: string, localNetworks: readonly LocalNetwork[] = []): string[] {
  const { warnings, file } = read(text, localNetworks);
  return warnings.map((warning) => formatWarning(file, warning));
}

function allowedIpsOf({ peers }: GatewayConfig): string[][] {
  return peers.map(({ allowedIps }) => allowedIps.map(formatPrefix));
}

const whole = `# Berlin
[Interface]
PrivateKey = ${privateKey}
ListenPort = 51820 # the firewall lets it in
FwMark = 0x10
Address = 10.77.0.1/24, fd77::1/64
Address = 10.78.0.1
MTU = 1420
Table = 1234
PreUp = echo 1
PostUp = echo 2; echo %i
PostUp = echo 3
PreDown = echo 4
PostDown = echo 5
DNS = 10.0.0.1, 10.0.0.2
DNS = fd00::53 corp.example
SaveConfig = true

[Peer]
# friendly_name = Lisbon
PublicKey = ${publicKey}
PresharedKey = ${presharedKey}
AllowedIPs = 10.77.0.2/32, 192.168.2.0/24,2001:db8::/32
AllowedIPs = 10.77.0.9
Endpoint = [2001:db8:1::2]:51820
PersistentKeepalive = 25

[Peer]
PublicKey = ${otherKey}
AllowedIPs = 10.77.0.3/32
Endpoint = oslo.example.org:51820
PersistentKeepalive = off

[Daemon]
Metrics = 127.0.0.1:9586, [::1]:9586
Metrics = unix:/run/longhaul/hq-metrics.sock
LogLevel = verbose
Aead = openssl
StateDirectory = /var/lib/longhaul
`;

describe("a good file", () => {
  const { config, warnings } = read(whole);

  test("interface", () => {
    expect(formatBase64Key(config.interface.privateKey.bytes)).toBe(privateKey);
    expect(config.interface).toEqual({
      privateKey: { bytes: expect.anything(), origin: { kind: "text" } },
      addresses: ["10.77.0.1/24", "fd77::1/64", "10.78.0.1/32"],
      listenPort: 51_820,
      fwmark: 16,
      mtu: 1_420,
      dns: { servers: ["10.0.0.1", "10.0.0.2", "fd00::53"], search: ["corp.example"] },
      table: 1_234,
      hooks: {
        preUp: ["echo 1"],
        postUp: ["echo 2; echo %i", "echo 3"],
        preDown: ["echo 4"],
        postDown: ["echo 5"],
      },
      saveConfig: true,
    });
  });

  test("peers", () => {
    const [lisbon, oslo] = config.peers;
    expect(formatBase64Key(lisbon!.publicKey)).toBe(publicKey);
    expect(formatBase64Key(lisbon!.presharedKey!.bytes)).toBe(presharedKey);
    expect(allowedIpsOf(config)).toEqual([
      ["10.77.0.2/32", "192.168.2.0/24", "2001:db8::/32", "10.77.0.9/32"],
      ["10.77.0.3/32"],
    ]);
    expect(lisbon!.endpoint!.kind === "address" && formatEndpoint(lisbon!.endpoint!.address)).toBe(
      "[2001:db8:1::2]:51820",
    );
    expect([lisbon!.persistentKeepaliveS, lisbon!.friendlyName]).toEqual([25, "Lisbon"]);
    expect(oslo!.endpoint).toEqual({ kind: "name", host: "oslo.example.org", port: 51_820 });
    expect([oslo!.persistentKeepaliveS, oslo!.friendlyName, oslo!.presharedKey]).toEqual([0, undefined, undefined]);
  });

  test("[Daemon], and nothing to warn of", () => {
    expect(config.daemon).toEqual({
      metrics: [
        { kind: "tcp", host: "127.0.0.1", port: 9_586 },
        { kind: "tcp", host: "::1", port: 9_586 },
        { kind: "unix", path: "/run/longhaul/hq-metrics.sock" },
      ],
      logLevel: "debug",
      aead: "openssl",
      stateDirectory: "/var/lib/longhaul",
    });
    expect(warnings).toEqual([]);
  });

  test("the least that a file can say", () => {
    const least = read(`[Interface]\nPrivateKey=${privateKey}`).config;
    expect(least).toMatchObject({ interfaceName: "hq", peers: [], interface: { addresses: [], table: "auto" } });
    expect(least.interface.saveConfig).toBe(false);
    expect(Object.values(least.daemon)).toEqual([undefined, undefined, undefined, undefined]);
  });

  test.each([
    "PostUp = wg set %i private-key <(pass WireGuard/private-keys/%i)",
    "PreUp = wg set %i listen-port 51820 private-key /etc/wireguard/%i.key",
  ])("no private key where a hook hands it over: %s", (hook) => {
    const { config: keyless, warnings: none } = read(
      `[Interface]\nListenPort = 1\n${hook}\n[Peer]\nPublicKey = ${publicKey}\n`,
    );
    expect(keyless.interface.privateKey).toEqual({ bytes: new Uint8Array(32), origin: { kind: "hook" } });
    expect(deviceUpdateOf(keyless)).not.toHaveProperty("privateKey");
    expect(none).toEqual([]);
  });

  test("as an update it replaces everything, and leaves names to who resolves them", () => {
    const update = deviceUpdateOf(read(whole).config);
    expect(update).toMatchObject({ listenPort: 51_820, fwmark: 16, replacePeers: true });
    expect(update.peers.map((one) => "endpoint" in one)).toEqual([true, false]);
    expect(update.peers[1]!.presharedKey).toEqual(new Uint8Array(32));
  });

  test("wiped, it has no key any more", () => {
    const { config: wiped } = read(whole);
    wipeKeys(wiped);
    expect(wiped.interface.privateKey.bytes).toEqual(new Uint8Array(32));
    expect(wiped.peers[0]!.presharedKey!.bytes).toEqual(new Uint8Array(32));
  });
});

describe("grammar", () => {
  test.each([
    ["keys and sections in any case", `[INTERFACE]\nprivatekey = ${privateKey}\n[pEER]\nPUBLICKEY = ${publicKey}\n`],
    ["no spaces, and tabs", `[Interface]\nPrivateKey=${privateKey}\n\t[Peer]\t\n\tPublicKey\t=\t${publicKey}\t\n`],
    ["line ends of Windows", `[Interface]\r\nPrivateKey = ${privateKey}\r\n[Peer]\r\nPublicKey = ${publicKey}\r\n`],
    ["a byte order mark", `\ufeff[Interface]\nPrivateKey = ${privateKey}\n[Peer]\nPublicKey = ${publicKey}\n`],
    ["no end of the last line", `[Interface]\nPrivateKey = ${privateKey}\n[Peer]\nPublicKey = ${publicKey}`],
    ["peers first", `[Peer]\nPublicKey = ${publicKey}\n[Interface]\nPrivateKey = ${privateKey}\n`],
    [
      "white space within, as wg(8) has it",
      `[ Interface ]\nPrivate Key = ${privateKey}\n[Peer]\nPublic Key = ${publicKey}\n`,
    ],
    [
      "comments everywhere",
      `#\n[Interface]# a\nPrivateKey = ${privateKey}#b\n #c\n[Peer] # d\nPublicKey = ${publicKey} # ${otherKey}\n`,
    ],
  ])("%s", (_, text) => {
    const { config } = read(text);
    expect(formatBase64Key(config.interface.privateKey.bytes)).toBe(privateKey);
    expect(config.peers.map((one) => formatBase64Key(one.publicKey))).toEqual([publicKey]);
  });

  test("off in any case, white space in values, addresses between spaces", () => {
    const more = "FwMark = OFF\nTable = Off\nSaveConfig = TRUE\nAddress = 10.0.0.1/24 10.1.0.1/24,fd00:0::1/64\n";
    const { config } = read(`${start}${more}[Peer]\nPublicKey = ${publicKey}\nAllowedIPs = 10.2.0.0 / 16\n`);
    expect(config.interface).toMatchObject({ fwmark: 0, table: "off", saveConfig: true });
    expect(config.interface.addresses).toEqual(["10.0.0.1/24", "10.1.0.1/24", "fd00::1/64"]);
    expect(allowedIpsOf(config)).toEqual([["10.2.0.0/16"]]);
  });

  test("tables by name", () => {
    expect(read(`${start}Table = main\n`).config.interface.table).toBe(254);
    expect(read(`${start}Table = 0x100\n`).config.interface.table).toBe(256);
  });

  test("search domains, those of systemd-resolved too", () => {
    expect(read(`${start}DNS = fd00:0::53, a.example ~b.example ~. corp\n`).config.interface.dns).toEqual({
      servers: ["fd00::53"],
      search: ["a.example", "~b.example", "~.", "corp"],
    });
  });

  test("a preshared key of zeros is none", () => {
    const { config } = read(`${peer}PresharedKey = ${Buffer.alloc(32).toString("base64")}\n`);
    expect(config.peers[0]!.presharedKey).toBeUndefined();
  });

  test("metrics off", () => {
    expect(read(`${start}[Daemon]\nMetrics = off\n`).config.daemon.metrics).toEqual([]);
  });
});

describe("friendly names, as prometheus_wireguard_exporter reads them", () => {
  test.each([
    ["# friendly_name=OnePlus 6T", "OnePlus 6T"],
    ["#friendly_name = OnePlus 5T", "OnePlus 5T"],
    ["#               friendly_name       =               frcognowin10", "frcognowin10"],
    ["  # friendly_name = Büro = Köln # 2", "Büro = Köln # 2"],
    ["# frcognoarch", undefined],
    ["# Friendly_Name = x", undefined],
    ["# friendly_names = x", undefined],
    ["# friendly_name =", undefined],
    ["# friendly_name = \u001b[31mred\u202e", "[31mred"],
  ])("%j", (line, name) => {
    expect(read(`${peer}# other\n${line}\nAllowedIPs = 10.0.0.2/32\n`).config.peers[0]!.friendlyName).toBe(name);
  });

  test("one above a [Peer] belongs to the section that it ends", () => {
    const { config } = read(`${peer}# friendly_name = first\n[Peer]\nPublicKey = ${otherKey}\n`);
    expect(config.peers.map(({ friendlyName }) => friendlyName)).toEqual(["first", undefined]);
  });
});

describe("warnings", () => {
  test.each<[string, string, string[]]>([
    [
      "host bits",
      `${peer}AllowedIPs = 10.0.0.0/24, 192.168.1.7/24, 2001:db8::1/32\n`,
      [
        '6:27: prefix "192.168.1.7/24" has host bits set and means 192.168.1.0/24; write 192.168.1.0/24',
        '6:43: prefix "2001:db8::1/32" has host bits set and means 2001:db8::/32; write 2001:db8::/32',
      ],
    ],
    [
      "a prefix twice on one peer",
      `${peer}AllowedIPs = 10.0.0.0/24, 10.0.0.0/24\n`,
      ['6:27: prefix "10.0.0.0/24" stands twice on this peer; once is enough'],
    ],
    [
      "a prefix in the LAN",
      `${peer}AllowedIPs = 192.168.10.128/25\n`,
      [
        '6:14: prefix "192.168.10.128/25" overlaps the local network 192.168.10.0/24 of eth0, whose hosts could not be reached any more; write networks of the other side only',
      ],
    ],
    [
      "a prefix around the LAN",
      `${peer}AllowedIPs = 192.168.0.0/16\n`,
      [
        '6:14: prefix "192.168.0.0/16" overlaps the local network 192.168.10.0/24 of eth0, which stays local; write prefixes without it if hosts there are meant',
      ],
    ],
    [
      "an address in the LAN",
      `${start}Address = 192.168.10.9/24\n`,
      [
        '4:11: address "192.168.10.9/24" overlaps the local network 192.168.10.0/24 of eth0; write an address of a network of its own',
      ],
    ],
    [
      "an endpoint inside the tunnel",
      `${peer}Endpoint = 203.0.113.7:51820\nAllowedIPs = 203.0.113.0/24\n`,
      [
        '6:12: endpoint "203.0.113.7:51820" is inside the tunnel\'s own AllowedIPs (203.0.113.0/24): packets to it would go into the tunnel; take it out of AllowedIPs, or set FwMark with routing rules of your own',
      ],
    ],
    [
      "an endpoint inside another peer's half of everything",
      `${peer}Endpoint = [2001:db8::7]:51820\n[Peer]\nPublicKey = ${otherKey}\nAllowedIPs = ::/1\n`,
      [
        '6:12: endpoint "[2001:db8::7]:51820" is inside the tunnel\'s own AllowedIPs (::/1): packets to it would go into the tunnel; take it out of AllowedIPs, or set FwMark with routing rules of your own',
      ],
    ],
    [
      "an address twice",
      `${start}Address = 10.0.0.1/24\nAddress = 10.0.0.1/24\n`,
      ['5:11: address "10.0.0.1/24" stands in line 4 too; once is enough'],
    ],
    [
      "the address of a network",
      `${start}Address = 10.0.0.0/24\n`,
      ['4:11: address "10.0.0.0/24" is the network itself, not a host in it; write one of its hosts'],
    ],
    [
      "settings of wg-quick(8) without a value",
      `${start}DNS =\nAddress = # later\n`,
      [
        "4:1: DNS has no value and says nothing; write one, or leave it out",
        "5:1: Address has no value and says nothing; write one, or leave it out",
      ],
    ],
    [
      "a peer without prefixes, as wg(8) takes it",
      `${peer}AllowedIPs =\n`,
      ["6:1: AllowedIPs has no value and says nothing; write one, or leave it out"],
    ],
    [
      "a comment in the middle of a command",
      `${start}PostUp = logger "#1 of 2"\nPostUp = logger it\\'s "up" # fine\nPreDown = echo 'a' "b"# fine\n`,
      ['4:10: this command ends inside quotes: "#" begins a comment there too; leave it out'],
    ],
    [
      "nobody can begin",
      `[Interface]\nPrivateKey = ${privateKey}\n[Peer]\nPublicKey = ${publicKey}\n`,
      ["3:1: this peer has no Endpoint and the interface no ListenPort: neither side can begin; write one of the two"],
    ],
    [
      "names that do not tell peers apart",
      `${peer}# friendly_name = A\n# friendly_name = B\n[Peer]\n# friendly_name = B\nPublicKey = ${otherKey}\n`,
      [
        "7:19: second friendly_name of this peer, the first is in line 6; the last one counts",
        '9:19: friendly_name "B" is that of the peer in line 4 too; write names that differ',
      ],
    ],
    [
      "a name above the first [Peer]",
      `${start}# friendly_name = A\n[Peer]\nPublicKey = ${publicKey}\n`,
      ["4:19: friendly_name outside of a [Peer] names nothing; write it below the [Peer] that it is for"],
    ],
    [
      "a name that is too long",
      `${peer}# friendly_name = ${"x".repeat(129)}\n`,
      ["6:19: friendly_name is cut to 128 characters; write a shorter one"],
    ],
  ])("%s", (_, text, warnings) => {
    expect(warningsOf(text, [lan])).toEqual(
      warnings.map((warning) => `hq.conf:${warning.replace(/: /, ": warning: ")}`),
    );
  });

  test.each([
    [
      "everything into the tunnel: the mark keeps the endpoint out",
      "AllowedIPs = 0.0.0.0/0\nEndpoint = 203.0.113.7:1\n",
    ],
    ["an endpoint outside", "AllowedIPs = 10.0.0.0/8\nEndpoint = 11.0.0.1:1\n"],
  ])("none for %s", (_, lines) => {
    expect(warningsOf(`${peer}${lines}`)).toEqual([]);
  });

  test("an endpoint in the LAN is not routed into the tunnel", () => {
    const network = { prefix: "10.9.9.1/24", interfaceName: "eth0" };
    const said = warningsOf(`${peer}AllowedIPs = 10.0.0.0/8\nEndpoint = 10.9.9.9:1\n`, [network]);
    expect(said.filter((line) => line.includes("endpoint"))).toEqual([]);
  });

  test.each([["Table = off"], ["Table = 100"], ["FwMark = 5"]])("none for an endpoint inside with %s", (line) => {
    const rest = `[Peer]\nPublicKey = ${publicKey}\nAllowedIPs = 203.0.113.0/24\nEndpoint = 203.0.113.7:1\n`;
    expect(warningsOf(`${start}${line}\n${rest}`)).toEqual([]);
  });

  test("networks of the interface itself, and single addresses, are no LAN", () => {
    const own = { prefix: "10.0.0.1/24", interfaceName: "hq" };
    const single = { prefix: "10.0.0.77/32", interfaceName: "lo" };
    expect(warningsOf(`${peer}AllowedIPs = 10.0.0.0/24\n`, [own, single])).toEqual([]);
  });
});
