// What only shows when all of a configuration file was read: what is missing, what contradicts, and what is probably not meant.

import type { Prefix } from "../core/device/update.js";
import {
  type ConfigDraft,
  type ConfigSurroundings,
  type Located,
  numericEndpoint,
  type PeerDraft,
} from "./config-draft.js";
import type { Span } from "./config-lines.js";
import { quote } from "./errors.js";
import { privateKeyCredential } from "./key-source.js";
import { formatPrefix, parsePrefix } from "./prefix.js";
import { covers, prefixOf } from "./prefix-relation.js";
import { derivePublicKey } from "./public-key.js";

const IPV6_MTU_MIN = 1280; //  RFC 8200
/** IPv4 networks of at least this length have no address of their own. RFC 3021. */
const POINT_TO_POINT_LENGTH = 31;

/** Adds what it finds to the draft. Yields where the work may be interrupted. */
export function* checkDraft(draft: ConfigDraft, around: ConfigSurroundings): Generator<void, void, void> {
  checkInterface(draft, around);
  const local = localPrefixes(around);
  checkAddresses(draft, local);
  yield;
  const own = ownKeys(draft);
  const byKey = new Map<string, PeerDraft>();
  const byName = new Map<string, PeerDraft>();
  for (const peer of draft.peers) {
    checkKeys(draft, peer, own, byKey);
    checkReach(draft, peer, byName);
    checkOverlaps(draft, peer, local);
    checkEndpoint(draft, peer, local);
    yield;
  }
}

function checkInterface(draft: ConfigDraft, around: ConfigSurroundings): void {
  const { section, mtu } = draft;
  if (section === undefined) {
    const message = "there is no [Interface]; write one, with a PrivateKey and an Address";
    draft.errors.push({ line: 1, column: 1, message });
    return;
  }
  if (draft.privateKey === undefined && !draft.privateKeyFailed) {
    draft.errors.push(
      section.problem(
        "this [Interface] has no PrivateKey; write PrivateKey = KEY or PrivateKeyFile = PATH, or give the service the " +
          `credential ${privateKeyCredential(around.interfaceName)}`,
      ),
    );
  }
  const ipv6 = draft.addresses.find(({ value }) => value.includes(":"));
  if (mtu !== undefined && mtu.value < IPV6_MTU_MIN && ipv6 !== undefined) {
    const address = quote(ipv6.value);
    draft.errors.push(
      mtu.span.problem(
        `MTU "${mtu.value}" is too small for the IPv6 address ${address}; write ${IPV6_MTU_MIN} or more`,
      ),
    );
  }
}

interface LocalPrefix {
  readonly prefix: Prefix;
  readonly interfaceName: string;
}

/** Networks of this host's other interfaces; a single address is no network. */
function localPrefixes(around: ConfigSurroundings): LocalPrefix[] {
  return around.localNetworks
    .filter(({ interfaceName }) => interfaceName !== around.interfaceName)
    .map(({ prefix, interfaceName }) => ({ prefix: parsePrefix(prefix, { bareAddress: true }), interfaceName }))
    .filter(({ prefix }) => prefix.length > 0 && prefix.length < 8 * prefix.bytes.length);
}

function checkAddresses(draft: ConfigDraft, local: readonly LocalPrefix[]): void {
  const seen = new Map<string, Span>();
  for (const { value, span } of draft.addresses) {
    const warn = (message: string): void => void draft.warnings.push(span.problem(message));
    const first = seen.get(value);
    if (first !== undefined) {
      warn(`address ${quote(value)} stands in line ${first.line} too; once is enough`);
      continue;
    }
    seen.set(value, span);
    const network = parsePrefix(value);
    if (network.family === 4 && network.length < POINT_TO_POINT_LENGTH && formatPrefix(network) === value) {
      warn(`address ${quote(value)} is the network itself, not a host in it; write one of its hosts`);
    }
    const clash = local.find(({ prefix }) => covers(prefix, network) || covers(network, prefix));
    if (clash !== undefined) {
      const where = `${formatPrefix(clash.prefix)} of ${clash.interfaceName}`;
      warn(`address ${quote(value)} overlaps the local network ${where}; write an address of a network of its own`);
    }
  }
}

interface OwnKeys {
  readonly publicKey: string;
  readonly privateKey: Uint8Array;
}

function ownKeys(draft: ConfigDraft): OwnKeys | undefined {
  const privateKey = draft.privateKey?.value.origin.kind === "hook" ? undefined : draft.privateKey?.value.bytes;
  return privateKey && { publicKey: hexOf(derivePublicKey(privateKey)), privateKey };
}

function checkKeys(draft: ConfigDraft, peer: PeerDraft, own: OwnKeys | undefined, byKey: Map<string, PeerDraft>): void {
  if (peer.publicKey === undefined) {
    if (!peer.publicKeyFailed) {
      draft.errors.push(peer.section.problem("this [Peer] has no PublicKey; write PublicKey = the other gateway's"));
    }
    return;
  }
  const { value, span } = peer.publicKey;
  const fail = (message: string): void => void draft.errors.push(span.problem(message));
  if (own !== undefined && Buffer.compare(value, own.privateKey) === 0) {
    fail("public key: this is the private key of this interface; write the other gateway's public key");
    return;
  }
  const key = hexOf(value);
  const first = byKey.get(key);
  if (own?.publicKey === key) {
    fail("public key: this is the public key of this interface itself; write the other gateway's");
  } else if (first !== undefined) {
    fail(`public key of the peer in line ${first.section.line} again; write one [Peer] for each key`);
  } else {
    byKey.set(key, peer);
  }
}

function checkReach(draft: ConfigDraft, peer: PeerDraft, byName: Map<string, PeerDraft>): void {
  const { friendlyName } = peer;
  if (friendlyName !== undefined) {
    const first = byName.get(friendlyName.value);
    if (first === undefined) byName.set(friendlyName.value, peer);
    else {
      const name = quote(friendlyName.value);
      const where = `line ${first.section.line}`;
      draft.warnings.push(
        friendlyName.span.problem(`friendly_name ${name} is that of the peer in ${where} too; write names that differ`),
      );
    }
  }
  if (peer.endpoint === undefined && !draft.listenPort) {
    draft.warnings.push(
      peer.section.problem(
        "this peer has no Endpoint and the interface no ListenPort: neither side can begin; write one of the two",
      ),
    );
  }
}

function checkOverlaps(draft: ConfigDraft, peer: PeerDraft, local: readonly LocalPrefix[]): void {
  if (draft.table === "off") return;
  for (const { value, span } of peer.allowedIps) {
    if (value.length === 0) continue; //  the main table's own routes come first then
    const clash = local.find(({ prefix }) => covers(prefix, value) || covers(value, prefix));
    if (clash === undefined) continue;
    const where = `the local network ${formatPrefix(clash.prefix)} of ${clash.interfaceName}`;
    const text = `prefix ${quote(formatPrefix(value))}`;
    const message = covers(clash.prefix, value)
      ? `${text} overlaps ${where}, whose hosts could not be reached any more; write networks of the other side only`
      : `${text} overlaps ${where}, which stays local; write prefixes without it if hosts there are meant`;
    draft.warnings.push(span.problem(message));
  }
}

/** A packet to the endpoint that is routed into the tunnel is sealed, sent to the endpoint, and so on. */
function checkEndpoint(draft: ConfigDraft, { endpoint }: PeerDraft, local: readonly LocalPrefix[]): void {
  const address = numericEndpoint(endpoint?.value);
  if (address === undefined || endpoint === undefined || draft.table !== "auto" || draft.fwmark) return;
  const host = prefixOf(address.bytes, 8 * address.bytes.length);
  const inside = longestCover(draft, address.bytes);
  if (inside === undefined || inside.length === 0) return; //  a default route is kept apart by the mark
  if (local.some(({ prefix }) => covers(prefix, host) && prefix.length >= inside.length)) return;
  warnOfLoop(draft, endpoint, inside);
}

function warnOfLoop(draft: ConfigDraft, { span }: Located<unknown>, inside: Prefix): void {
  const [text, prefix] = [quote(span.text()), formatPrefix(inside)];
  draft.warnings.push(
    span.problem(
      `endpoint ${text} is inside the tunnel's own AllowedIPs (${prefix}): packets to it would go into the tunnel; ` +
        "take it out of AllowedIPs, or set FwMark with routing rules of your own",
    ),
  );
}

function longestCover(draft: ConfigDraft, address: Uint8Array): Prefix | undefined {
  let best: Prefix | undefined;
  for (const length of draft.lengths) {
    if (length > 8 * address.length || (best !== undefined && length < best.length)) continue;
    const prefix = prefixOf(address, length);
    if (draft.owners.has(formatPrefix(prefix))) best = prefix;
  }
  return best;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
