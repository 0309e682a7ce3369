// The operations of a UAPI connection, cut out of a byte stream as it arrives. It must not know sockets, and applies
// nothing: a `set` comes out whole, after its blank line, or not at all.
// Source: wireguard.com/xplatform, "Configuration Protocol".

import type { InterfaceIndexLookup } from "../config/endpoint.js";
import type { DeviceUpdate } from "../core/device/update.js";
import { UapiError } from "./errors.js";
import { SetSections, wipeUpdate } from "./set-section.js";

/** What a connection asked for, in order. */
export type UapiOperation =
  | { readonly kind: "get" }
  | { readonly kind: "set"; readonly update: DeviceUpdate }
  /** Answer the error; `close`: the stream makes no sense from here on. */
  | { readonly kind: "refuse"; readonly verb: "get" | "set"; readonly error: unknown; readonly close: boolean }
  /** Close without an answer. */
  | { readonly kind: "hangUp"; readonly reason: string };

/** Far above any valid line: the longest is an endpoint with a scope. */
export const LINE_BYTES_MAX = 1024;
/** A million prefixes fit in one set. */
export const OPERATION_BYTES_MAX = 64 << 20;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

type State = "verb" | "get" | "set" | "skip" | "closed";

/**
 * Feed bytes with {@link push}, then take operations with {@link next} until it returns undefined; only then push again.
 * After a refused `set` the rest of it is skipped to its blank line, so that the next operation is found again.
 */
export class UapiParser {
  readonly #interfaceIndex: InterfaceIndexLookup;
  readonly #operationBytesMax: number;
  readonly #carry = Buffer.alloc(LINE_BYTES_MAX); //  a line whose end has not arrived
  #carriedBytes = 0;
  #input: Buffer = Buffer.alloc(0);
  #position = 0;
  #state: State = "verb";
  #sections: SetSections | undefined;
  #operationBytes = 0;
  #lineNumber = 0;

  constructor(interfaceIndex: InterfaceIndexLookup, operationBytesMax = OPERATION_BYTES_MAX) {
    this.#interfaceIndex = interfaceIndex;
    this.#operationBytesMax = operationBytesMax;
  }

  /** Whether an operation has begun and not ended. */
  get midOperation(): boolean {
    return this.#carriedBytes > 0 || (this.#state !== "verb" && this.#state !== "closed");
  }

  /** @param bytes  borrowed until next() has returned undefined. */
  push(bytes: Buffer): void {
    this.#input = bytes;
    this.#position = 0;
  }

  /** @returns the next operation, or undefined when all input is used up. Throws nothing. */
  next(): UapiOperation | undefined {
    while (this.#state !== "closed" && this.#position < this.#input.length) {
      const operation = this.#takeLine();
      if (operation !== undefined) {
        return operation;
      }
    }
    return undefined;
  }

  /** The peer sends no more. @returns what to answer to an operation that was left unfinished. Throws nothing. */
  end(): UapiOperation | undefined {
    const state = this.#state;
    const unfinished = this.midOperation;
    this.close();
    if (!unfinished || state === "skip") {
      return undefined;
    }
    if (state === "verb") {
      return { kind: "hangUp", reason: "the connection ended inside a line" };
    }
    const error = new UapiError("EPROTO", `${state} ended without its blank line, nothing was applied`);
    return { kind: "refuse", verb: state === "get" ? "get" : "set", error, close: true };
  }

  /** Forgets everything, zeroing secrets. */
  close(): void {
    this.#state = "closed";
    this.#carry.fill(0);
    this.#carriedBytes = 0;
    this.#dropSections();
  }

  #takeLine(): UapiOperation | undefined {
    const input = this.#input;
    const start = this.#position;
    const lineFeed = input.indexOf(LINE_FEED, start);
    const end = lineFeed < 0 ? input.length : lineFeed;
    this.#position = lineFeed < 0 ? end : end + 1;
    this.#operationBytes += this.#position - start;
    if (this.#carriedBytes + (end - start) > LINE_BYTES_MAX) {
      return this.#giveUp(new UapiError("EIO", `line ${this.#lineNumber + 1}: longer than ${LINE_BYTES_MAX} bytes`));
    }
    if (this.#operationBytes > this.#operationBytesMax && this.#state !== "skip") {
      return this.#giveUp(new UapiError("E2BIG", `operation larger than ${this.#operationBytesMax} bytes`));
    }
    if (lineFeed < 0 || this.#carriedBytes > 0) {
      input.copy(this.#carry, this.#carriedBytes, start, end);
      this.#carriedBytes += end - start;
      if (lineFeed < 0) {
        return undefined;
      }
      const length = this.#carriedBytes;
      this.#carriedBytes = 0;
      const operation = this.#line(this.#carry, 0, length);
      this.#carry.fill(0, 0, length);
      return operation;
    }
    return this.#line(input, start, end);
  }

  #line(bytes: Buffer, start: number, end: number): UapiOperation | undefined {
    this.#lineNumber++;
    switch (this.#state) {
      case "verb":
        return this.#verb(bytes.toString("latin1", start, end));
      case "get":
        if (end > start) {
          return this.#giveUp(new UapiError("EINVAL", "text between get=1 and its blank line"));
        }
        this.#finish();
        return { kind: "get" };
      case "set":
        return this.#setLine(bytes, start, end > start && bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end);
      case "skip":
        if (end === start) {
          this.#finish();
        }
        return undefined;
      case "closed":
        return undefined;
    }
  }

  #verb(line: string): UapiOperation | undefined {
    if (line === "get=1") {
      this.#state = "get";
      return undefined;
    }
    if (line === "set=1") {
      this.#state = "set";
      this.#sections = new SetSections(this.#interfaceIndex);
      return undefined;
    }
    this.close();
    return { kind: "hangUp", reason: "neither get=1 nor set=1" };
  }

  #setLine(bytes: Buffer, start: number, end: number): UapiOperation | undefined {
    const sections = this.#sections as SetSections;
    if (start === end) {
      this.#sections = undefined; //  its secrets now belong to whoever takes the operation
      this.#finish();
      return { kind: "set", update: sections.update };
    }
    try {
      sections.add(bytes, start, end);
      return undefined;
    } catch (cause) {
      this.#dropSections();
      this.#state = "skip";
      const error = Object.assign(cause as Error, { message: `line ${this.#lineNumber}: ${(cause as Error).message}` });
      return { kind: "refuse", verb: "set", error, close: false };
    }
  }

  #giveUp(error: UapiError): UapiOperation {
    const verb = this.#state === "get" ? "get" : "set";
    const silent = this.#state === "verb" || this.#state === "skip"; //  no operation to answer, or answered already
    this.close();
    return silent ? { kind: "hangUp", reason: error.message } : { kind: "refuse", verb, error, close: true };
  }

  #finish(): void {
    this.#state = "verb";
    this.#operationBytes = 0;
    this.#lineNumber = 0;
  }

  #dropSections(): void {
    if (this.#sections !== undefined) {
      wipeUpdate(this.#sections.update);
      this.#sections = undefined;
    }
  }
}
