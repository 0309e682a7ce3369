// What `wg setconf` takes of a configuration file: the keys of wg(8) alone, as they stand, with the keys that stand elsewhere put in.

import { findKey, findSection, type SectionName } from "./config-keys.js";
import { LineKind, type RawLine, rawLines } from "./config-lines.js";
import type { GatewayConfig } from "./gateway-config.js";
import { encodeBase64Key, isZeroKey } from "./key.js";

const newline = Buffer.from("\n");

/**
 * As `wg-quick strip`: comments stay, and so do endpoints by name.
 * @param bytes   of a file without mistakes; borrowed
 * @param config  what was read from it
 * @returns new bytes with keys in them: wipe them after use. Throws nothing.
 */
export function stripConfig(bytes: Buffer, config: GatewayConfig): Buffer {
  const stripper = new Stripper(config);
  for (const line of rawLines(bytes)) stripper.read(bytes, line);
  return stripper.finish();
}

class Stripper {
  readonly #config: GatewayConfig;
  readonly #pieces: Buffer[] = [];
  /** Pieces that hold nothing but a key that was put in. */
  readonly #keys: Buffer[] = [];
  #section: SectionName | undefined;
  #peer = -1;

  constructor(config: GatewayConfig) {
    this.#config = config;
  }

  read(bytes: Buffer, { span, said }: RawLine): void {
    const line = bytes.subarray(span.start, span.end);
    if (said?.kind === LineKind.Section) this.#startSection(said.content.text(), line);
    else if (said?.kind === LineKind.Setting) this.#readSetting(said.key.text(), line);
    else this.#pieces.push(line, newline);
  }

  finish(): Buffer {
    const whole = Buffer.concat(this.#pieces);
    for (const key of this.#keys) key.fill(0);
    return whole;
  }

  #startSection(text: string, line: Buffer): void {
    this.#section = findSection(text);
    if (this.#section === "Daemon") return;
    this.#pieces.push(line, newline);
    if (this.#section === "Peer") this.#peer++;
    const { privateKey } = this.#config.interface;
    if (this.#section === "Interface" && privateKey.origin.kind !== "text")
      this.#putKey("PrivateKey", privateKey.bytes);
    const presharedKey = this.#section === "Peer" ? this.#config.peers[this.#peer]?.presharedKey : undefined;
    if (presharedKey !== undefined && presharedKey.origin.kind !== "text") {
      this.#putKey("PresharedKey", presharedKey.bytes);
    }
  }

  #readSetting(text: string, line: Buffer): void {
    const key = this.#section && findKey(this.#section, text);
    if (key?.owner === "wg") this.#pieces.push(line, newline);
  }

  #putKey(name: string, bytes: Uint8Array): void {
    if (isZeroKey(bytes)) return; //  there is none
    const encoded = encodeBase64Key(bytes);
    this.#keys.push(encoded);
    this.#pieces.push(Buffer.from(`${name} = `), encoded, newline);
  }
}
