// Lines of a configuration file, cut out of its bytes: sections, settings and friendly names. Values stay bytes until somebody
// asks for their text, so that no string of a private key is ever made. Source: wg(8), wg-quick(8).

import { isUtf8 } from "node:buffer";
import type { ConfigProblem } from "./config-problem.js";

export const LineKind = { Section: 0, Setting: 1, Other: 2, FriendlyName: 3 } as const;
export type LineKind = (typeof LineKind)[keyof typeof LineKind];

const NEWLINE = 0x0a;
const HASH = 0x23;
const EQUALS = 0x3d;
const BRACKET = 0x5b;
const UTF8_MARK = Buffer.from("\ufeff");
const UTF16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

/**
 * The beginning of a line, and how many characters stand in front of the place that was asked about last: a line with a thousand
 * mistakes is counted through once.
 */
class LineStart {
  readonly #start: number;
  #at: number;
  #column = 1;

  constructor(start: number) {
    this.#start = start;
    this.#at = start;
  }

  /** @returns the column of a place in the line, in characters from 1; quickest in the order of the line */
  columnOf(bytes: Buffer, place: number): number {
    if (place < this.#at) {
      this.#at = this.#start;
      this.#column = 1;
    }
    const between = bytes.toString("utf8", this.#at, place).replace(/^\ufeff/, "");
    this.#column += [...between].length;
    this.#at = place;
    return this.#column;
  }
}

/** A piece of a line, by its place in the file's bytes. */
export class Span {
  readonly bytes: Buffer;
  /** Number of the line, from 1. */
  readonly line: number;
  readonly #lineStart: LineStart;
  readonly start: number;
  readonly end: number;

  constructor(bytes: Buffer, line: number, lineStart: LineStart, start: number, end: number) {
    this.bytes = bytes;
    this.line = line;
    this.#lineStart = lineStart;
    this.start = start;
    this.end = end;
  }

  /** Do not ask for the text of a key. */
  text(): string {
    return this.bytes.toString("utf8", this.start, this.end);
  }

  get isEmpty(): boolean {
    return this.start >= this.end;
  }

  /** @returns the part [start, end), in bytes of the file */
  slice(start: number, end: number): Span {
    return new Span(this.bytes, this.line, this.#lineStart, start, end);
  }

  /** @returns the span without white space around it */
  trim(): Span {
    let { start, end } = this;
    while (start < end && isSpace(this.bytes[start])) start++;
    while (end > start && isSpace(this.bytes[end - 1])) end--;
    return start === this.start && end === this.end ? this : this.slice(start, end);
  }

  /** @returns where in the file's bytes an ASCII code first stands in the span, or -1 */
  find(code: number): number {
    for (let at = this.start; at < this.end; at++) if (this.bytes[at] === code) return at;
    return -1;
  }

  /** The pieces between `separators`, trimmed, empty ones included. @param separators  ASCII codes */
  split(separators: readonly number[]): Span[] {
    const pieces: Span[] = [];
    let start = this.start;
    for (let at = this.start; at <= this.end; at++) {
      if (at < this.end && !separators.includes(this.bytes[at])) continue;
      pieces.push(this.slice(start, at).trim());
      start = at + 1;
    }
    return pieces;
  }

  /** Whether a comment follows on the line. */
  get isCommented(): boolean {
    let at = this.end;
    while (isSpace(this.bytes[at])) at++;
    return this.bytes[at] === HASH;
  }

  problem(message: string): ConfigProblem {
    return { line: this.line, column: this.#lineStart.columnOf(this.bytes, this.start), message };
  }

  /** Whether the bytes are well-formed UTF-8. */
  isUtf8(): boolean {
    let seen = 0;
    for (let at = this.start; at < this.end; at++) seen |= this.bytes[at];
    return seen < 0x80 || isUtf8(this.bytes.subarray(this.start, this.end));
  }
}

/** One line that says something. */
export interface ConfigLine {
  readonly kind: LineKind;
  /** Without comment and surrounding white space; of a friendly name, the name. */
  readonly content: Span;
  /** Of a setting. */
  readonly key: Span;
  readonly value: Span;
}

/** Any line of a file. */
export interface RawLine {
  /** Without its end. */
  readonly span: Span;
  /** Where the next line begins. */
  readonly next: number;
  /** What it says; undefined: a blank line or a comment. */
  readonly said: ConfigLine | undefined;
}

/** Cuts a file into lines; a byte order mark belongs to none. Throws nothing. */
export function* rawLines(bytes: Buffer): Generator<RawLine, void, void> {
  let start = bytes.subarray(0, 3).equals(UTF8_MARK) ? 3 : 0;
  for (let number = 1; start < bytes.length; number++) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    const span = new Span(bytes, number, new LineStart(number === 1 ? 0 : start), start, end);
    const next = newline < 0 ? end : end + 1;
    yield { span, next, said: cut(span) };
    start = next;
  }
}

/** The lines of a file that say something. Throws nothing. */
export function* configLines(bytes: Buffer): Generator<ConfigLine, void, void> {
  for (const { said } of rawLines(bytes)) if (said !== undefined) yield said;
}

/** Why bytes cannot be a configuration file at all, if so. */
export function notTextProblem(bytes: Buffer): ConfigProblem | undefined {
  if (UTF16_MARKS.some((mark) => bytes.subarray(0, 2).equals(mark))) {
    return { line: 1, column: 1, message: "the file is in UTF-16; save it as UTF-8" };
  }
  const nul = bytes.indexOf(0);
  if (nul < 0) return undefined;
  const lineStart = bytes.lastIndexOf(NEWLINE, nul) + 1;
  const line = bytes.subarray(0, lineStart).reduce((lines, byte) => lines + (byte === NEWLINE ? 1 : 0), 1);
  return new Span(bytes, line, new LineStart(lineStart), nul, nul).problem(
    "a zero byte: this is no text, or the file was damaged; write the file anew",
  );
}

function cut(line: Span): ConfigLine | undefined {
  const { bytes } = line;
  const hash = line.find(HASH);
  const content = (hash < 0 ? line : line.slice(line.start, hash)).trim();
  if (content.isEmpty) return hash < 0 ? undefined : friendlyName(line.slice(hash + 1, line.end));
  if (bytes[content.start] === BRACKET) return { kind: LineKind.Section, content, key: content, value: content };
  const equals = content.find(EQUALS);
  if (equals < 0) return { kind: LineKind.Other, content, key: content, value: content };
  const key = content.slice(content.start, equals).trim();
  const value = content.slice(equals + 1, content.end).trim();
  return { kind: LineKind.Setting, content, key, value };
}

/** `# friendly_name = Berlin`, a comment line as the exporters read it. */
function friendlyName(comment: Span): ConfigLine | undefined {
  const equals = comment.find(EQUALS);
  if (equals < 0) return undefined;
  const key = comment.slice(comment.start, equals).trim();
  if (key.end - key.start !== "friendly_name".length || key.text() !== "friendly_name") return undefined;
  const content = comment.slice(equals + 1, comment.end).trim();
  return { kind: LineKind.FriendlyName, content, key, value: content };
}

/** As isspace(3), the newline apart. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0b || byte === 0x0c;
}
