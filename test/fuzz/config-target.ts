// Configuration files, from bytes to a checked GatewayConfig and back.

import { ConfigFileError } from "../../src/config/config-problem.js";
import { deviceUpdateOf, type GatewayConfig, wipeKeys } from "../../src/config/gateway-config.js";
import { type LoadedConfig, type ParseOptions, parseGatewayConfig } from "../../src/config/load-config.js";
import { mergeConfig } from "../../src/config/merge-config.js";
import { stripConfig } from "../../src/config/strip-config.js";
import type { DeviceSnapshot } from "../../src/core/device/update.js";
import { decode, encode, FuzzRandom } from "./random.js";
import { type FuzzTarget, hold, holdNoKey, holdPrintable, valueOr } from "./target.js";

const OPTIONS: ParseOptions = {
  interfaceName: "hq",
  directory: "/nonexistent",
  localNetworks: [{ prefix: "192.168.7.0/24", interfaceName: "lan0" }],
  credentialsDirectory: undefined,
};

const settings = {
  Interface: [
    "Address = 10.99.0.1/24, fd00::1/64",
    "ListenPort = 51820",
    "FwMark = 0xca6c",
    "MTU = 1420",
    "DNS = 192.0.2.53, example.org",
    "Table = auto",
    "Table = 1234",
    "PreUp = echo %i",
    "PostDown = true # not a comment of ours",
    "SaveConfig = true",
    "PrivateKeyFile = hq.key",
  ],
  Peer: [
    "AllowedIPs = 10.99.0.2/32, 192.168.20.0/24",
    "AllowedIPs = 0.0.0.0/0, ::/0",
    "Endpoint = a.example.org:51820",
    "Endpoint = [2001:db8::1]:51820",
    "PersistentKeepalive = 25",
    "# friendly_name = Office B",
    "PresharedKeyFile = credential:psk",
  ],
  Daemon: [
    "Metrics = 127.0.0.1:9586",
    "Metrics = off",
    "LogLevel = debug",
    "AEAD = openssl",
    "StateDirectory = /var/x",
  ],
} as const;

function make(seed: number): Uint8Array {
  const random = new FuzzRandom(seed);
  const key = (): string => Buffer.from(random.bytes(32)).toString("base64");
  const lines: string[] = [];
  const add = (section: keyof typeof settings, first: string[]): void => {
    lines.push(`[${section}]`, ...first);
    for (let n = random.below(6); n > 0; n--) lines.push(random.pick(settings[section]));
    if (random.oneIn(3)) lines.push("", "# a comment");
  };
  add("Interface", [`PrivateKey = ${key()}`]);
  for (let n = random.below(4); n > 0; n--) {
    add("Peer", [`PublicKey = ${key()}`, ...(random.oneIn(3) ? [`PresharedKey = ${key()}`] : [])]);
  }
  if (random.oneIn(3)) add("Daemon", []);
  return encode(`${lines.join(random.oneIn(8) ? "\r\n" : "\n")}\n`);
}

function snapshotOf(config: GatewayConfig): DeviceSnapshot {
  const { privateKey, listenPort, fwmark, peers } = deviceUpdateOf(config);
  return {
    privateKey: privateKey?.slice(),
    listenPort: listenPort ?? 0,
    fwmark: fwmark ?? 0,
    peers: peers.map((peer) => ({
      publicKey: peer.publicKey,
      presharedKey: (peer.presharedKey ?? new Uint8Array(32)).slice(),
      endpoint: peer.endpoint,
      persistentKeepaliveS: peer.persistentKeepaliveS ?? 0,
      lastHandshakeMs: 0,
      receivedBytes: 0,
      sentBytes: 0,
      allowedIps: peer.allowedIps.map(({ prefix }) => prefix),
    })),
  };
}

/** All that a device is told, as text. */
function told(config: GatewayConfig): string {
  return JSON.stringify(deviceUpdateOf(config), (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
  );
}

function checkProblems(error: ConfigFileError, text: string): void {
  hold(error.problems.length > 0, "an error without a problem");
  const lines = text.split("\n").length;
  for (const { line, column, message } of error.problems) {
    hold(Number.isInteger(line) && line >= 0 && line <= lines, `line ${line} of ${lines}: ${message}`);
    hold(line === 0 || (Number.isInteger(column) && column >= 1), `column ${column}: ${message}`);
    holdPrintable(message);
    holdNoKey(text, message);
  }
}

function checkLoaded({ config, warnings }: LoadedConfig, bytes: Buffer): void {
  for (const { message } of warnings) {
    holdPrintable(message);
    holdNoKey(decode(bytes), message);
  }
  const running = {
    device: snapshotOf(config),
    addresses: config.interface.addresses,
    mtu: config.interface.mtu,
  };
  const { bytes: merged, changes } = mergeConfig(bytes, config, running);
  for (const change of changes) holdNoKey(decode(bytes), change);
  const again = valueOr(() => parseGatewayConfig(merged, OPTIONS), ConfigFileError);
  hold(!(again instanceof ConfigFileError), `saved, the file is refused: ${(again as Error).message}`);
  hold(told((again as LoadedConfig).config) === told(config), "saved, the file says something else");
  const stripped = valueOr(() => parseGatewayConfig(stripConfig(bytes, config), OPTIONS), ConfigFileError);
  hold(!(stripped instanceof ConfigFileError), `stripped, the file is refused: ${(stripped as Error).message}`);
  hold(told((stripped as LoadedConfig).config) === told(config), "stripped, the file says something else");
  wipeKeys(config);
  hold(
    config.interface.privateKey.bytes.every((byte) => byte === 0),
    "a key that was wiped is there",
  );
}

function check(input: Uint8Array): void {
  const bytes = Buffer.from(input);
  const loaded = valueOr(() => parseGatewayConfig(bytes, OPTIONS), ConfigFileError);
  if (loaded instanceof ConfigFileError) checkProblems(loaded, decode(bytes));
  else checkLoaded(loaded, bytes);
}

export const configTarget: FuzzTarget = {
  name: "config",
  what: "configuration files: parse, save, strip",
  covers: ["src/config/"],
  dictionary: [
    "[Interface]\n",
    "[Peer]\n",
    "[Daemon]\n",
    "# friendly_name = ",
    "\r\n",
    "PrivateKey = ",
    "PublicKey = ",
    "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
    ...Object.values(settings).flat(),
    "::ffff:10.0.0.1",
    "fe80::1%lan0",
    "unix:/run/x",
    "0x",
    "off",
  ],
  bytesMax: 16_384,
  make,
  check,
};
