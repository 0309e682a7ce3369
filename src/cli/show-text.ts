// What `longhaul show` prints of an interface: who it is, how each peer is, where the packets went. Facts in, lines out.

import { hasDetails, type PeerFacts } from "../metrics/diagnosis-facts.js";
import { peerSentence } from "../metrics/peer-sentence.js";
import { type PeerState, peerState } from "../metrics/peer-state.js";
import {
  bitRateText,
  bytesText,
  countText,
  durationText,
  millisecondsText,
  numberText,
  percentText,
} from "../metrics/quantity-text.js";
import type { DropCount, StatusDocument } from "../metrics/status.js";
import type { ShownDocument } from "./read-status.js";
import { type Colour, paint, printable, type TextStyle, wrap } from "./text-style.js";

const stateColours: Readonly<Record<PeerState, Colour>> = {
  up: "green",
  degraded: "yellow",
  silent: "red",
  idle: "grey",
};
const INDENT = "  ";
const HANGING = "    ";
/** More prefixes than anybody reads; --json has them. */
const ALLOWED_IPS_SHOWN = 20;

/** @returns lines without their ends. No secret is in them. */
export function showLines(document: ShownDocument, style: TextStyle): string[] {
  const lines = [...interfaceLines(document, style)];
  for (const peer of document.peers as readonly PeerFacts[]) lines.push("", ...peerLines(document, peer, style));
  if (document.source === "daemon") lines.push("", ...ledgerLines(document, style));
  return lines;
}

function interfaceLines(document: ShownDocument, style: TextStyle): string[] {
  const { name, publicKey, listenPort, fwmark, mtu, isUp } = document.interface;
  const fact = factWriter(style);
  const lines = [
    `${paint(style, "bold", `interface: ${name}`)}${isUp === false ? paint(style, "red", " (down)") : ""}`,
  ];
  lines.push(...fact("public key", publicKey ?? "(none)"));
  lines.push(...fact("listening port", listenPort === 0 ? "(none yet)" : String(listenPort)));
  if (fwmark !== 0) lines.push(...fact("fwmark", `0x${fwmark.toString(16)}`));
  if (mtu !== undefined) lines.push(...fact("mtu", String(mtu)));
  if (document.source === "daemon") {
    const { startedAtMs, version, aead, pid } = document.interface;
    const age = durationText(document.readAtMs - startedAtMs);
    lines.push(...fact("daemon", `longhaul ${version}, ${aead}, process ${pid}, for ${age}`));
    for (const reason of document.health.reasons) lines.push(...fact("not ready", reason));
  } else {
    lines.push(
      ...fact(
        "note",
        "only the UAPI socket answers: there are the facts of wg(8), and no counters of losses and drops",
      ),
    );
  }
  lines.push(...fact("peers", peersText(document)));
  return lines;
}

function peersText(document: ShownDocument): string {
  const states = (document.peers as readonly PeerFacts[]).map((peer) => peerState(peer, document.readAtMs));
  const counts = (Object.keys(stateColours) as PeerState[]).map((state) => ({
    state,
    count: states.filter((one) => one === state).length,
  }));
  const said = counts.filter(({ count }) => count > 0).map(({ state, count }) => `${count} ${state}`);
  return said.length === 0 ? "none" : `${states.length}: ${said.join(", ")}`;
}

function peerLines(document: ShownDocument, peer: PeerFacts, style: TextStyle): string[] {
  const fact = factWriter(style);
  const state = peerState(peer, document.readAtMs);
  const isNamed = !peer.publicKey.startsWith(peer.name);
  const heading = paint(style, "bold", `peer: ${isNamed ? printable(peer.name) : peer.publicKey}`);
  const lines = [heading];
  for (const line of wrap(peerSentence(peer, document.readAtMs), style, INDENT, HANGING)) {
    lines.push(paint(style, stateColours[state], line));
  }
  if (isNamed) lines.push(...fact("public key", peer.publicKey));
  if ((peer as { hasPresharedKey?: boolean }).hasPresharedKey === true)
    lines.push(...fact("preshared key", "(hidden)"));
  if (peer.endpoint !== null) lines.push(...fact("endpoint", peer.endpoint));
  lines.push(...fact("allowed ips", allowedIpsText(peer)));
  if (peer.latestHandshakeAtMs !== null) {
    lines.push(...fact("latest handshake", `${durationText(document.readAtMs - peer.latestHandshakeAtMs)} ago`));
  }
  lines.push(...fact("transfer", `${bytesText(peer.receivedBytes)} received, ${bytesText(peer.sentBytes)} sent`));
  if (peer.persistentKeepaliveSeconds !== 0) {
    lines.push(...fact("persistent keepalive", `every ${peer.persistentKeepaliveSeconds} s`));
  }
  for (const [name, text] of detailFacts(peer)) lines.push(...fact(name, text));
  return lines;
}

function allowedIpsText({ allowedIps }: PeerFacts): string {
  if (allowedIps.length === 0) return "(none)";
  const more = allowedIps.length - ALLOWED_IPS_SHOWN;
  const shown = allowedIps.slice(0, ALLOWED_IPS_SHOWN).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}

/** What wg(8) does not know. */
function detailFacts(peer: PeerFacts): Array<[string, string]> {
  if (!hasDetails(peer)) return [];
  const { traffic, path, roundTrip, drops } = peer;
  const facts: Array<[string, string]> = [
    ["now", `${bitRateText(traffic.receivedBitsPerSecond)} in, ${bitRateText(traffic.sentBitsPerSecond)} out`],
  ];
  if (path.received > 0) facts.push(["path", pathText(peer.path)]);
  if (roundTrip.smoothedSeconds !== null && roundTrip.leastSeconds !== null) {
    const [smoothed, least] = [roundTrip.smoothedSeconds, roundTrip.leastSeconds].map((s) =>
      millisecondsText(s * 1_000),
    );
    facts.push(["round trip", `${smoothed}, at least ${least}, of ${countText(roundTrip.samples, "handshake")}`]);
  }
  if (traffic.stagedPackets > 0) facts.push(["waiting", countText(traffic.stagedPackets, "packet")]);
  if (drops.inbound.length > 0) facts.push(["refused from it", dropsText(drops.inbound)]);
  if (drops.outbound.length > 0) facts.push(["refused to it", dropsText(drops.outbound)]);
  return facts;
}

function pathText(path: StatusDocument["peers"][number]["path"]): string {
  const lost = path.lost - path.late;
  const said = [
    `${percentText(path.recentLoss ?? 0)} loss of late`,
    `${numberText(lost)} of ${countText(path.received + lost, "packet")} lost`,
  ];
  if (path.lossBurstMax > 1) said.push(`up to ${path.lossBurstMax} in a row`);
  if (path.reordered > 0) said.push(`${numberText(path.reordered)} out of order`);
  if (path.duplicates > 0) said.push(`${numberText(path.duplicates)} twice`);
  return said.join(", ");
}

function dropsText(drops: readonly DropCount[]): string {
  return [...drops]
    .sort((a, b) => b.packets - a.packets)
    .map(({ reason, packets }) => `${numberText(packets)} ${reason}`)
    .join(", ");
}

/** Where packets went: what came in is what went on, and the refused by reason. */
function ledgerLines({ ledger: { inbound, outbound } }: StatusDocument, style: TextStyle): string[] {
  const rows = [
    ["from the network", inbound.in],
    ["  to this host", inbound.delivered],
    ["  keepalives", inbound.keepalives],
    ["  handshakes", inbound.handshakes],
    ...dropRows(inbound.drops),
    ["from this host", outbound.in],
    ["  to the network", outbound.sent],
    ["  waiting", outbound.staged],
    ...dropRows(outbound.drops),
    ["unaccounted", inbound.unaccounted + outbound.unaccounted],
  ] as const;
  const numbers = rows.map(([, packets]) => numberText(packets));
  const wide = Math.max(...rows.map(([name]) => name.length));
  const digits = Math.max(...numbers.map((number) => number.length));
  const lines = rows.map(([name, packets], i) => {
    const line = `${INDENT}${name.padEnd(wide)}  ${numbers[i].padStart(digits)}`;
    const isLoss = name.startsWith("  refused") || (name === "unaccounted" && packets !== 0);
    return isLoss ? paint(style, "yellow", line) : line;
  });
  return [paint(style, "bold", "where packets went:"), ...lines];
}

function dropRows(drops: readonly DropCount[]): Array<[string, number]> {
  return [...drops]
    .sort((a, b) => b.packets - a.packets)
    .map(({ reason, packets }) => [`  refused: ${reason}`, packets]);
}

function factWriter(style: TextStyle): (name: string, text: string) => string[] {
  return (name, text) => {
    const [first, ...rest] = wrap(`${name}: ${text}`, style, INDENT, HANGING);
    const label = INDENT + name;
    return [`${INDENT}${paint(style, "cyan", name)}${first.slice(label.length)}`, ...rest];
  };
}
