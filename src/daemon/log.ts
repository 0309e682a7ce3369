// The daemon's log: pino, one event a state change, held back where one comes too often. No key material: a peer is named by its
// friendly name and the first characters of its public key.

import pino, { type Logger } from "pino";
import type { LogLevel } from "../config/daemon-choices.js";
import type { Peer } from "../core/device/peer.js";
import { type DropReason, dropReasonNames } from "../core/drop-reason.js";
import { LogLimit } from "./log-limit.js";
import { chooseStyle, type LogStyle, lineWriter } from "./log-style.js";

const STDERR = 2;
const NAME_CHARACTERS = 8;

export class DaemonLog {
  readonly #pino: Logger;
  readonly #limit = new LogLimit();
  #friendlyNames: ReadonlyMap<string, string> = new Map();

  /** @param style  default: what suits standard error */
  constructor(level: LogLevel, interfaceName: string, style: LogStyle = chooseStyle(STDERR, process.env)) {
    const destination = style === "json" ? pino.destination({ fd: STDERR, sync: true }) : lineWriter(STDERR, style);
    this.#pino = pino({ level, base: { interface: interfaceName, pid: process.pid } }, destination);
  }

  /** Whether a line of this level would be written: for those that cost something to make. */
  tells(level: "info" | "debug" | "error"): boolean {
    return this.#pino.isLevelEnabled(level);
  }

  info(fields: object | string, message?: string): void {
    this.#write("info", fields, message);
  }

  debug(fields: object | string, message?: string): void {
    this.#write("debug", fields, message);
  }

  error(fields: object | string, message?: string): void {
    this.#write("error", fields, message);
  }

  /** A handshake message that was refused after its mac1 verified. */
  refused(peer: Peer | undefined, reason: DropReason): void {
    const name = peer === undefined ? undefined : this.peerName(peer);
    this.debug({ peer: name, reason: dropReasonNames[reason] }, "handshake message refused");
  }

  /** @param names  friendly names by public key in base64; they replace those before */
  setFriendlyNames(names: ReadonlyMap<string, string>): void {
    this.#friendlyNames = names;
  }

  /** @param publicKey  base64 */
  friendlyName(publicKey: string): string | undefined {
    return this.#friendlyNames.get(publicKey);
  }

  /** @returns the peer's friendly name and the start of its public key in base64, as wg(8) users know it */
  peerName(peer: Peer): string {
    const key = Buffer.from(peer.publicKey).toString("base64");
    const start = key.slice(0, NAME_CHARACTERS);
    const friendly = this.#friendlyNames.get(key);
    return friendly === undefined ? start : `${friendly} (${start})`;
  }

  #write(level: "info" | "debug" | "error", fieldsOrMessage: object | string, message = ""): void {
    if (!this.#pino.isLevelEnabled(level)) return;
    const fields = typeof fieldsOrMessage === "string" ? {} : fieldsOrMessage;
    const text = typeof fieldsOrMessage === "string" ? fieldsOrMessage : message;
    const { peer } = fields as { peer?: string };
    const heldBack = this.#limit.admit(text, peer, performance.now());
    if (heldBack < 0) return;
    this.#pino[level](heldBack === 0 ? fields : { ...fields, heldBack }, text);
  }
}
