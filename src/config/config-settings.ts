// What each key of a configuration file does with its value. A value that is wrong throws a ConfigError, which its caller puts
// into place; of a list, each element does so on its own.

import type { ConfigDraft, ConfigSurroundings, PeerDraft } from "./config-draft.js";
import type { DaemonKey, InterfaceKey, PeerKey } from "./config-keys.js";
import type { Span } from "./config-lines.js";
import {
  parseAbsolutePath,
  parseBoolean,
  parseChoice,
  parseDns,
  parseInterfaceAddress,
  parseMetricsAddress,
  parseMtu,
  parsePeerEndpoint,
  parseTable,
} from "./config-values.js";
import { aeadChoices, logLevels } from "./daemon-choices.js";
import { ConfigError, ConfigErrorCode, quote } from "./errors.js";
import type { MetricsAddress, SecretKey } from "./gateway-config.js";
import { isZeroKey, parseBase64KeyBytes } from "./key.js";
import { type FoundKey, readKeyFrom } from "./key-source.js";
import { parseFwmark, parseKeepalive, parsePort } from "./number.js";
import { formatPrefix, parsePrefix } from "./prefix.js";

const COMMA = 0x2c;
const LIST_OF_WG_QUICK = [COMMA, 0x20, 0x09];

export type Setter = (value: Span) => void;

/** Runs `set` on a part of a value, and puts what it throws into place. @param part  element of a list */
export type Try = (part: Span, set: (text: string) => void) => void;

export function interfaceSetters(
  draft: ConfigDraft,
  around: ConfigSurroundings,
  each: Try,
): Record<InterfaceKey, Setter> {
  const list = (value: Span, set: (text: string, at: Span) => void): void => {
    for (const part of value.split(LIST_OF_WG_QUICK)) if (!part.isEmpty) each(part, (text) => set(text, part));
  };
  return {
    PrivateKey: (value) => {
      onlyOneKey(draft.privateKey?.value, "PrivateKeyFile");
      draft.privateKeyFailed = true;
      draft.privateKey = { value: secretOf(value, "private key"), span: value };
    },
    PrivateKeyFile: (value) => {
      onlyOneKey(draft.privateKey?.value, "PrivateKey");
      draft.privateKeyFailed = true;
      const found = readKeyFrom(value.text(), around.keys, "private key");
      draft.privateKey = { value: noted(draft, value, found, "private key"), span: value };
    },
    ListenPort: (value) => {
      draft.listenPort = parsePort(joined(value));
    },
    FwMark: (value) => {
      draft.fwmark = parseFwmark(joined(value));
    },
    Address: (value) =>
      list(value, (text, at) => void draft.addresses.push({ value: parseInterfaceAddress(text), span: at })),
    DNS: (value) =>
      list(value, (text) => {
        const entry = parseDns(text);
        if ("server" in entry) draft.dns.servers.push(entry.server);
        else draft.dns.search.push(entry.search);
      }),
    MTU: (value) => {
      draft.mtu = { value: parseMtu(value.text()), span: value };
    },
    Table: (value) => {
      draft.table = parseTable(value.text(), around.routingTable);
    },
    PreUp: (value) => addHook(draft, "preUp", value),
    PostUp: (value) => addHook(draft, "postUp", value),
    PreDown: (value) => addHook(draft, "preDown", value),
    PostDown: (value) => addHook(draft, "postDown", value),
    SaveConfig: (value) => {
      draft.saveConfig = parseBoolean(value.text(), "SaveConfig");
    },
  };
}

/** For the last peer of the draft, whichever that is. */
export function peerSetters(draft: ConfigDraft, around: ConfigSurroundings, each: Try): Record<PeerKey, Setter> {
  const last = (): PeerDraft => draft.peers[draft.peers.length - 1] as PeerDraft;
  return {
    PublicKey: (value) => {
      const peer = last();
      peer.publicKeyFailed = true;
      peer.publicKey = { value: parseKey(value, "public key"), span: value };
    },
    PresharedKey: (value) => {
      const peer = last();
      onlyOneKey(peer.presharedKey?.value, "PresharedKeyFile");
      const bytes = parseBase64KeyBytes(value.bytes, value.start, value.end, "preshared key");
      if (!isZeroKey(bytes)) peer.presharedKey = { value: { bytes, origin: { kind: "text" } }, span: value };
    },
    PresharedKeyFile: (value) => {
      const peer = last();
      onlyOneKey(peer.presharedKey?.value, "PresharedKey");
      const found = readKeyFrom(value.text(), around.keys, "preshared key");
      peer.presharedKey = { value: noted(draft, value, found, "preshared key"), span: value };
    },
    AllowedIPs: (value) => {
      const peer = last();
      for (const part of value.split([COMMA])) each(part, () => addAllowedIp(draft, peer, part));
    },
    Endpoint: (value) => {
      last().endpoint = { value: parsePeerEndpoint(joined(value), around.interfaceIndex), span: value };
    },
    PersistentKeepalive: (value) => {
      last().persistentKeepaliveS = parseKeepalive(joined(value));
    },
  };
}

export function daemonSetters(draft: ConfigDraft, each: Try): Record<DaemonKey, Setter> {
  const { daemon } = draft;
  return {
    Metrics: (value) => {
      const isOff = value.text().toLowerCase() === "off";
      if (daemon.metrics !== undefined && (isOff || daemon.metrics.length === 0)) {
        throw new ConfigError(
          ConfigErrorCode.File,
          "Metrics is off in one line and not in another",
          "one of them only",
        );
      }
      const addresses: MetricsAddress[] = [...(daemon.metrics ?? [])];
      if (!isOff) {
        for (const part of value.split([COMMA])) {
          each(part, (text) => void addresses.push(parseMetricsAddress(text)));
        }
      }
      daemon.metrics = addresses;
    },
    LogLevel: (value) => {
      const text = value.text();
      daemon.logLevel = text.toLowerCase() === "verbose" ? "debug" : parseChoice(text, logLevels, "log level");
    },
    Aead: (value) => {
      daemon.aead = parseChoice(value.text(), aeadChoices, "AEAD");
    },
    StateDirectory: (value) => {
      daemon.stateDirectory = parseAbsolutePath(value.text(), "state directory");
    },
  };
}

function addHook(draft: ConfigDraft, moment: keyof ConfigDraft["hooks"], value: Span): void {
  const text = value.text();
  draft.hooks[moment].push(text);
  const quotes = text.replace(/\\./g, "").replace(/'[^']*'|"[^"]*"/g, "");
  if (value.isCommented && /['"]/.test(quotes)) {
    draft.warnings.push(value.problem('this command ends inside quotes: "#" begins a comment there too; leave it out'));
  }
}

/** wg(8) takes white space out of its values before it looks at them. */
function joined(value: Span): string {
  return value.text().replace(/\s/g, "");
}

function parseKey(value: Span, what: string): Uint8Array {
  const bytes = parseBase64KeyBytes(value.bytes, value.start, value.end, what);
  if (isZeroKey(bytes)) {
    throw new ConfigError(
      ConfigErrorCode.Key,
      `${what}: every byte is zero, which is no key`,
      "a key of longhaul genkey",
    );
  }
  return bytes;
}

function secretOf(value: Span, what: string): SecretKey {
  return { bytes: parseKey(value, what), origin: { kind: "text" } };
}

/** A key from elsewhere; what is to be said of its file becomes a warning. */
function noted(draft: ConfigDraft, value: Span, { key, warning }: FoundKey, what: string): SecretKey {
  if (warning !== undefined) draft.warnings.push(value.problem(warning));
  if (isZeroKey(key.bytes)) {
    throw new ConfigError(
      ConfigErrorCode.Key,
      `${what}: every byte is zero, which is no key`,
      "a key of longhaul genkey",
    );
  }
  return key;
}

function onlyOneKey(known: SecretKey | undefined, other: string): void {
  if (known === undefined) return;
  throw new ConfigError(ConfigErrorCode.Key, `${other} says another key in this section`, "one of the two only");
}

function addAllowedIp(draft: ConfigDraft, peer: PeerDraft, part: Span): void {
  const text = part.text();
  if (text === "") {
    throw new ConfigError(ConfigErrorCode.Prefix, "nothing between two commas, or behind the last", "a prefix there");
  }
  if (/\d(\s+|\s*;\s*)[\da-f]/i.test(text)) {
    throw new ConfigError(
      ConfigErrorCode.Prefix,
      `prefixes ${quote(text)} without a comma`,
      "a comma between prefixes",
    );
  }
  const prefix = parsePrefix(text.replace(/\s/g, ""), { bareAddress: true });
  const masked = formatPrefix(prefix);
  const owner = draft.owners.get(masked);
  if (owner !== undefined && owner.peer !== peer) {
    throw new ConfigError(
      ConfigErrorCode.Prefix,
      `prefix ${quote(masked)} is also on the peer in line ${owner.peer.section.line} (line ${owner.line}), and WireGuard ` +
        "would silently move it",
      "it on one peer only",
    );
  }
  if (owner !== undefined) {
    draft.warnings.push(part.problem(`prefix ${quote(masked)} stands twice on this peer; once is enough`));
    return;
  }
  draft.lengths.add(prefix.length);
  draft.owners.set(masked, { peer, line: part.line });
  peer.allowedIps.push({ value: prefix, span: part });
  if (hasHostBits(text, masked)) {
    draft.warnings.push(part.problem(`prefix ${quote(text)} has host bits set and means ${masked}; write ${masked}`));
  }
}

/** Whether masking changed the address, not only its spelling. */
function hasHostBits(text: string, masked: string): boolean {
  if (text === masked) return false;
  const [address = "", length] = text.replace(/\s/g, "").split("/");
  if (length === undefined) return false;
  return formatPrefix(parsePrefix(address, { bareAddress: true })).split("/")[0] !== masked.split("/")[0];
}
