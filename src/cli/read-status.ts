// The state of a running interface: the status document of the daemon's control socket, else what the UAPI tells everybody.

import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { formatEndpoint } from "../config/endpoint.js";
import { formatBase64Key, isZeroKey } from "../config/key.js";
import { formatPrefix } from "../config/prefix.js";
import { derivePublicKey } from "../config/public-key.js";
import type { DeviceSnapshot, PeerSnapshot } from "../core/device/update.js";
import { askControl, NotRunningError } from "../daemon/control-client.js";
import { CONTROL_DIRECTORY } from "../daemon/control-server.js";
import { diagnose } from "../metrics/diagnosis.js";
import { type HeadFacts, hasDetails, type PeerFacts, type Reading } from "../metrics/diagnosis-facts.js";
import { type Diagnosis, STATUS_SCHEMA, type StatusDocument } from "../metrics/status.js";
import { getDevice } from "../uapi/client.js";
import { SOCKET_DIRECTORY, socketPath } from "../uapi/socket-file.js";

/** What `wg show` has. */
export interface BareDocument extends HeadFacts {
  readonly schema: typeof STATUS_SCHEMA;
  readonly source: "uapi";
  readonly peerCount: number;
  readonly peers: ReadonlyArray<
    PeerFacts & {
      readonly hasPresharedKey: boolean;
      readonly friendlyName: null;
      readonly allowedIpCount: number;
      readonly diagnosis: Diagnosis;
    }
  >;
}

/** `source` says who told it. */
export type ShownDocument = (StatusDocument & { readonly source: "daemon" }) | BareDocument;

/** Characters of a key that stand for a peer without a name. */
const NAME_CHARACTERS = 8;
const STATUS_PATH = "/status.json";
const STATUS_OK = 200;
/** Too many read at the same time. */
const STATUS_BUSY = 503;
const BUSY_TRIES = 10;
const BUSY_PAUSE_MS = 200;

export interface Sockets {
  readonly control: string;
  readonly uapi: string;
}

const standardSockets: Sockets = { control: CONTROL_DIRECTORY, uapi: SOCKET_DIRECTORY };

/**
 * @returns what the interface's daemon tells, or what it tells everybody when it is of another make or age.
 * Errors: NotRunningError; a system error, explained, when this user may not ask.
 */
export async function readInterface(name: string, sockets = standardSockets): Promise<ShownDocument> {
  try {
    const text = await askForStatus(name, sockets.control);
    const document = text === undefined ? undefined : readDocument(text);
    if (document !== undefined) return { source: "daemon", ...document };
  } catch (error) {
    if (!(error instanceof NotRunningError)) throw error;
  }
  return readBare(name, sockets.uapi);
}

/** @returns undefined when the daemon knows no such document. Errors: as askControl, and Error when it stays busy. */
async function askForStatus(name: string, directory: string): Promise<string | undefined> {
  for (let asked = 0; asked < BUSY_TRIES; asked++) {
    const { status, text } = await askControl(name, "GET", STATUS_PATH, directory);
    if (status !== STATUS_BUSY) return status === STATUS_OK ? text : undefined;
    await sleep(BUSY_PAUSE_MS);
  }
  throw new Error(`the daemon of ${name} is busy with others who ask for its state; try again`);
}

function readDocument(text: string): StatusDocument | undefined {
  try {
    const document = JSON.parse(text) as StatusDocument;
    return document.schema === STATUS_SCHEMA ? document : undefined;
  } catch {
    return undefined;
  }
}

async function readBare(name: string, directory: string): Promise<BareDocument> {
  const path = socketPath(name, directory);
  try {
    return bareDocument(name, await getDevice(path), Date.now());
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ECONNREFUSED") {
      throw new NotRunningError(`${name} is not running: nothing answers at ${path}`);
    }
    if (code === "EACCES" || code === "EPERM") {
      throw new Error(`${path} may not be opened by this user: run as root, or as the daemon's user`);
    }
    throw error;
  }
}

/** @param device  its keys are wiped  @param nowMs  ms since 1970 */
export function bareDocument(name: string, device: DeviceSnapshot, nowMs: number): BareDocument {
  const { privateKey, listenPort, fwmark } = device;
  const publicKey =
    privateKey === undefined || isZeroKey(privateKey) ? null : formatBase64Key(derivePublicKey(privateKey));
  privateKey?.fill(0);
  return {
    schema: STATUS_SCHEMA,
    source: "uapi",
    readAtMs: nowMs,
    interface: { name, publicKey, listenPort, fwmark },
    peerCount: device.peers.length,
    peers: device.peers.map((peer) => barePeer(peer, nowMs)),
  };
}

function barePeer(snapshot: PeerSnapshot, nowMs: number): BareDocument["peers"][number] {
  const publicKey = formatBase64Key(snapshot.publicKey);
  const hasPresharedKey = !isZeroKey(snapshot.presharedKey);
  snapshot.presharedKey.fill(0);
  const peer: PeerFacts = {
    name: publicKey.slice(0, NAME_CHARACTERS),
    publicKey,
    endpoint: snapshot.endpoint === undefined ? null : formatEndpoint(snapshot.endpoint),
    allowedIps: snapshot.allowedIps.map(formatPrefix),
    persistentKeepaliveSeconds: snapshot.persistentKeepaliveS,
    latestHandshakeAtMs: snapshot.lastHandshakeMs === 0 ? null : Math.round(snapshot.lastHandshakeMs),
    sentBytes: snapshot.sentBytes,
    receivedBytes: snapshot.receivedBytes,
  };
  const allowedIpCount = peer.allowedIps.length;
  return { ...peer, friendlyName: null, hasPresharedKey, allowedIpCount, diagnosis: diagnose(peer, nowMs) };
}

/** Names of the interfaces that have a socket, dead ones too, in order. Errors: system errors but ENOENT. */
export function listInterfaces(sockets = standardSockets): string[] {
  const names = [sockets.control, sockets.uapi].flatMap((directory) => {
    try {
      return readdirSync(directory).flatMap((file) => /^([^.].*)\.sock$/.exec(file)?.[1] ?? []);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return [];
      if (code !== "EACCES") throw error;
      throw new Error(`${directory} may not be read by this user: run as root, or as the daemon's user`);
    }
  });
  return [...new Set(names)].sort();
}

/** Every interface whose daemon answers. Errors: as {@link readInterface}, but for those that do not run. */
export async function readAllInterfaces(sockets = standardSockets): Promise<ShownDocument[]> {
  const documents: ShownDocument[] = [];
  for (const name of listInterfaces(sockets)) {
    try {
      documents.push(await readInterface(name, sockets));
    } catch (error) {
      if (!(error instanceof NotRunningError)) throw error;
    }
  }
  return documents;
}

/** The peers of a document as the diagnosis wants them. */
export class Readings {
  readonly #document: ShownDocument;
  readonly #peers: ReadonlyMap<string, PeerFacts>;
  readonly #endpoints: ReadonlySet<string>;

  constructor(document: ShownDocument) {
    const peers = document.peers as readonly PeerFacts[];
    this.#document = document;
    this.#peers = new Map(peers.map((peer) => [peer.publicKey, peer]));
    this.#endpoints = new Set(peers.flatMap(({ endpoint }) => endpoint ?? []));
  }

  /** Errors: Error when there is no such peer. */
  of(publicKey: string): Reading {
    const peer = this.#peers.get(publicKey);
    if (peer === undefined) throw new Error(`the peer ${publicKey} was taken away meanwhile`);
    return { head: this.#document, peer, endpoints: this.#endpoints };
  }
}

/** Whether the daemon itself told it. */
export function isComplete(reading: Reading): boolean {
  return hasDetails(reading.peer);
}
