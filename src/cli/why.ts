// longhaul why [NAME] PEER|all: why a peer is silent or slow, from two readings of the counters and the kernel's ways.

import { setTimeout as sleep } from "node:timers/promises";
import { parseInterfaceName } from "../config/interface-name.js";
import { formatIpAddress } from "../config/ip-address.js";
import type { Prefix } from "../core/device/update.js";
import { NotRunningError } from "../daemon/control-client.js";
import { diagnose, findCauses } from "../metrics/diagnosis.js";
import type { HostFacts, PeerFacts } from "../metrics/diagnosis-facts.js";
import type { Finding } from "../metrics/diagnosis-finding.js";
import { addressOf } from "../metrics/diagnosis-view.js";
import { STATUS_SCHEMA } from "../metrics/status.js";
import { wayTo } from "../system/way.js";
import { readArguments } from "./arguments.js";
import { type FoundPeer, findPeers, readPrefix } from "./find-peer.js";
import { printData, UsageError } from "./output.js";
import {
  isComplete,
  listInterfaces,
  Readings,
  readAllInterfaces,
  readInterface,
  type ShownDocument,
} from "./read-status.js";
import { chooseTextStyle, printLines } from "./text-style.js";
import { terminal } from "./watch.js";
import { unclaimedFinding, type Verdict, verdictJson, verdictLines } from "./why-text.js";

const EXIT_DEGRADED = 3;
const OBSERVED_S = 2;
const OBSERVED_S_MAX = 600;
/** Of a peer's AllowedIPs, the ways that are looked at. */
const INNER_WAYS = 4;
/** Each is some runs of ip(8). */
const HOST_LOOKS_MAX = 64;
const EVERY_PEER = "all";

/**
 * @returns the exit status: 0 when nothing wrong is seen now, 3 when something is.
 * Errors: NotRunningError; UsageError; Error when no peer is meant.
 */
export async function why(args: string[]): Promise<number> {
  const { values, positionals } = readArguments(args, { json: { type: "boolean" }, wait: { type: "string" } });
  if (positionals.length < 1 || positionals.length > 2) {
    throw new UsageError(
      `why wants a peer, or an interface and a peer, not ${positionals.length} words; see longhaul --help`,
    );
  }
  const word = positionals[positionals.length - 1];
  const waitS = readWait(values.wait);
  const documents = await readCandidates(positionals);
  const verdicts = await judge(documents, word, waitS);
  if (values.json === true) printJson(verdicts, word);
  else {
    const style = chooseTextStyle(terminal(), process.env);
    printLines(verdicts.flatMap((verdict, i) => [...(i === 0 ? [] : ["", ""]), ...verdictLines(verdict, style)]));
  }
  return verdicts.some(({ findings }) => findings.some(({ isActive }) => isActive)) ? EXIT_DEGRADED : 0;
}

async function judge(documents: readonly ShownDocument[], word: string, waitS: number): Promise<Verdict[]> {
  if (word === EVERY_PEER) {
    const all = documents.flatMap((document) => document.peers.map((peer) => ({ document, peer })));
    if (all.length === 0) throw new Error(`${peerList(documents)}: nobody can be silent`);
    return observe(all, undefined, waitS);
  }
  const found = choose(documents, word);
  return found === undefined ? [await unclaimed(documents, word)] : observe([found], readPrefix(word), waitS);
}

/** One peer is one object, all are a list in one. */
function printJson(verdicts: readonly Verdict[], word: string): void {
  const values = verdicts.map(verdictJson);
  const value = word === EVERY_PEER ? { schema: STATUS_SCHEMA, peers: values } : values[0];
  printData(`${JSON.stringify(value)}\n`);
}

async function readCandidates(words: readonly string[]): Promise<ShownDocument[]> {
  if (words.length === 2) return [await readInterface(parseInterfaceName(words[0]))];
  const documents = await readAllInterfaces();
  if (documents.length === 0) throw new NotRunningError("no daemon runs here: longhaul up NAME starts one");
  return documents;
}

/** Errors: UsageError when it is not clear which; Error when nothing fits, unless the word is an address. */
function choose(documents: readonly ShownDocument[], word: string): FoundPeer | undefined {
  const found = findPeers(documents, word);
  if (found.length === 1) return found[0];
  if (found.length > 1) {
    throw new UsageError(`${word} can be ${found.map(peerWords).join(" or ")}: say which`);
  }
  const named = documents.find((document) => document.interface.name === word);
  if (named?.peers.length === 1) return { document: named, peer: named.peers[0] };
  if (readPrefix(word) !== undefined) return undefined;
  if (named !== undefined) throw new UsageError(`which peer of ${word}? ${peerList([named])}`);
  throw new Error(`no peer is called ${word}, and no key begins so. ${peerList(documents)}`);
}

function peerWords({ document, peer }: FoundPeer): string {
  return `${document.interface.name} ${peer.publicKey}`;
}

function peerList(documents: readonly ShownDocument[]): string {
  const names = documents.flatMap((document) => document.peers.map(({ name }) => `${document.interface.name} ${name}`));
  const shown = names.slice(0, 10).join(", ");
  return names.length === 0 ? "There are no peers" : `There is ${shown}${names.length > 10 ? ", …" : ""}`;
}

/** Reads the counters again after a while, and judges by what has moved. */
async function observe(found: readonly FoundPeer[], asked: Prefix | undefined, waitS: number): Promise<Verdict[]> {
  const readings = new Map([...new Set(found.map(({ document }) => document))].map((one) => [one, new Readings(one)]));
  const hosts = found.slice(0, HOST_LOOKS_MAX).map(({ peer, document }) => lookAtHost(document, peer, asked));
  const later = new Map<ShownDocument, Readings>();
  if (waitS > 0 && found.some(({ document }) => document.source === "daemon")) await sleep(waitS * 1_000);
  for (const document of readings.keys()) {
    if (waitS === 0 || document.source === "uapi") continue;
    later.set(document, new Readings(await readInterface(document.interface.name)));
  }
  const host = await Promise.all(hosts);
  return found.map(({ document, peer: { publicKey } }, i) => {
    const earlier = (readings.get(document) as Readings).of(publicKey);
    const now = later.get(document)?.of(publicKey) ?? earlier;
    return {
      interfaceName: now.head.interface.name,
      reading: now,
      diagnosis: diagnose(now.peer, now.head.readAtMs),
      observedMs: now.head.readAtMs - earlier.head.readAtMs,
      isComplete: isComplete(now),
      findings: findCauses(now, now === earlier ? undefined : earlier, host[i]),
    };
  });
}

/** What the kernel would do with datagrams for the endpoint, and with packets for what is behind the peer. */
async function lookAtHost(head: ShownDocument, peer: PeerFacts, asked: Prefix | undefined): Promise<HostFacts> {
  const { endpoint, allowedIps } = peer;
  const outside = endpoint === null || endpoint.includes("%") ? undefined : addressOf(endpoint);
  const inside =
    asked === undefined
      ? allowedIps.slice(0, INNER_WAYS).flatMap((prefix) => exampleOf(prefix) ?? [])
      : [addressIn(asked)];
  const [outer, ...inner] = await Promise.all([
    outside === undefined ? undefined : wayTo(outside, { mark: head.interface.fwmark, withMtu: true }),
    ...inside.map((address) => wayTo(address)),
  ]);
  return { outer, inner: inner.filter((way) => way !== undefined) };
}

/** @returns an address in the prefix; none of a default route, which a policy may divide as it likes */
function exampleOf(text: string): string | undefined {
  const prefix = readPrefix(text);
  return prefix === undefined || prefix.length === 0 ? undefined : addressIn(prefix);
}

/** The first host of a network, or the host itself. */
function addressIn({ bytes, length }: Prefix): string {
  const address = bytes.slice();
  if (length < address.length * 8 - 1) address[address.length - 1] |= 1;
  return formatIpAddress(address);
}

/** An address that nobody has. */
async function unclaimed(documents: readonly ShownDocument[], word: string): Promise<Verdict> {
  const way = await wayTo(addressIn(readPrefix(word) as Prefix));
  const finding: Finding = unclaimedFinding(documents, word, way);
  const [{ interface: first }] = documents;
  return {
    interfaceName: documents.length === 1 ? first.name : listInterfaces().join(", "),
    reading: undefined,
    diagnosis: undefined,
    observedMs: 0,
    isComplete: true,
    findings: [finding],
  };
}

function readWait(text: string | undefined): number {
  if (text === undefined) return OBSERVED_S;
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds > OBSERVED_S_MAX) {
    throw new UsageError(`--wait ${text}: seconds from 0 to ${OBSERVED_S_MAX}`);
  }
  return seconds;
}
