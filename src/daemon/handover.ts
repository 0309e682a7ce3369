// What a daemon leaves to the next one besides its descriptors: who its peers were talking to it from. Keys are not handed over, so
// the next one speaks first, to each peer where it was last. Public keys and addresses only.

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Peer } from "../core/device/peer.js";
import type { EndpointAddress } from "../core/device/update.js";
import { readEndpoint } from "../core/transport/endpoint-address.js";
import { ENDPOINT_BYTES } from "../core/transport/endpoint-record.js";
import type { Gateway } from "./gateway.js";

/** A peer holds its keypair for as long. */
const CONNECTED_MS = 180_000;
/** Peers between two turns of the event loop: to greet one costs some curve multiplications, to note one next to nothing. */
const GREETED_SLICE = 16;
const NOTED_SLICE = 256;

/** One peer on a line of JSON. */
interface Contact {
  readonly publicKey: string;
  readonly address: string;
  readonly port: number;
  readonly scopeId: number;
}

export class Handover {
  readonly #path: string;
  #written = "";
  #isNoting = false;

  /** @param path  a file that does not survive a reboot */
  constructor(path: string) {
    this.#path = path;
  }

  /** Notes where the connected peers are now, if that has changed, without holding up packets. Errors: system errors. */
  async note(gateway: Gateway): Promise<void> {
    if (this.#isNoting) return;
    this.#isNoting = true;
    try {
      const text = await contactsOf(gateway);
      if (text === this.#written) return;
      const temporary = `${this.#path}.${process.pid}`;
      writeFileSync(temporary, text, { mode: 0o600 });
      renameSync(temporary, this.#path);
      this.#written = text;
    } finally {
      this.#isNoting = false;
    }
  }

  /** Speaks to every peer of the last run that is still one. Errors: none; a file that is not there is nobody to speak to. */
  async resume(gateway: Gateway): Promise<void> {
    const peers = new Map<string, Peer>();
    for (const peer of gateway.device.peers()) peers.set(keyText(peer), peer);
    let greeted = 0;
    for (const { publicKey, ...contact } of readContacts(this.#path)) {
      const peer = peers.get(publicKey);
      if (peer === undefined) continue;
      const endpoint = endpointOf(contact);
      gateway.configure({ peers: [{ publicKey: peer.publicKey, updateOnly: true, endpoint, allowedIps: [] }] });
      gateway.greet(peer);
      if (++greeted % GREETED_SLICE === 0) await nextTurn();
    }
  }

  /** Nobody goes on from here. */
  forget(): void {
    rmSync(this.#path, { force: true });
  }
}

/** @returns a line for each */
async function contactsOf(gateway: Gateway): Promise<string> {
  const { endpoints } = gateway.device.state.deps;
  let text = "";
  let seen = 0;
  for (const peer of [...gateway.device.peers()]) {
    if (++seen % NOTED_SLICE === 0) await nextTurn();
    if (!peer.hasEndpoint || Date.now() - peer.lastHandshakeWallMs > CONNECTED_MS) continue;
    const endpoint = readEndpoint(endpoints, peer.id * ENDPOINT_BYTES);
    if (endpoint === undefined) continue; //  removed meanwhile
    const { bytes, port, scopeId } = endpoint;
    const address = Buffer.from(bytes).toString("hex");
    text += `${JSON.stringify({ publicKey: keyText(peer), address, port, scopeId } satisfies Contact)}\n`;
  }
  return text;
}

function readContacts(path: string): Contact[] {
  try {
    const lines = readFileSync(path, "utf8").split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Contact);
  } catch {
    return [];
  }
}

function endpointOf({ address, port, scopeId }: Omit<Contact, "publicKey">): EndpointAddress {
  const bytes = Uint8Array.from(Buffer.from(address, "hex"));
  return { family: bytes.length === 4 ? 4 : 6, bytes, port, scopeId };
}

const keyText = (peer: Peer): string => Buffer.from(peer.publicKey).toString("base64");
