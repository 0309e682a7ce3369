// A configuration file as blocks of lines that can be changed one setting at a time, everything else left as it stands: comments,
// order, spelling, line ends. Bytes all the way, so that a key never becomes a string.

import { findKey, findSection, type SectionName } from "./config-keys.js";
import { type ConfigLine, LineKind, type RawLine, rawLines, type Span } from "./config-lines.js";

/** A line of the file as it is going to be. */
interface BlockLine {
  /** Its end included. */
  bytes: Buffer;
  readonly said: ConfigLine | undefined;
  readonly span: Span;
  /** A setting that was put in here. */
  readonly isNew: boolean;
}

/** A section with its lines, or what stands before the first one. */
export class ConfigBlock {
  readonly section: SectionName | undefined;
  /** Comments right above the section, which belong to it. */
  lead: Buffer[] = [];
  readonly #lines: BlockLine[] = [];
  readonly #lineEnd: string;
  /** Lines that were made here. */
  readonly #made: Buffer[] = [];

  constructor(section: SectionName | undefined, lineEnd: string) {
    this.section = section;
    this.#lineEnd = lineEnd;
  }

  add(bytes: Buffer, { span, next, said }: RawLine): void {
    this.#lines.push({ bytes: bytes.subarray(span.start, next), span, said, isNew: false });
  }

  /** Gives up the comments at its end that stand right above the next section; a friendly name is not one of them. */
  takeTrailingComments(): Buffer[] {
    let first = this.#lines.length;
    while (first > 0 && isComment(this.#lines[first - 1] as BlockLine)) first--;
    return this.#lines.splice(first).map(({ bytes }) => bytes);
  }

  /**
   * Sets a key: in the place where it first stands, else behind the last setting.
   * @param value  undefined: every line of the key goes
   */
  set(name: string, value: string | Buffer | undefined): void {
    const [first, ...rest] = this.#lines.filter((line) => this.#isSetting(line, name));
    const gone = value === undefined ? [first, ...rest] : rest;
    for (const line of gone) if (line !== undefined) this.#lines.splice(this.#lines.indexOf(line), 1);
    if (value === undefined) return;
    if (first === undefined) this.#insert(name, value);
    else first.bytes = this.#own(replaceValue(first, value));
  }

  /** Zeroes every line that was made here; the lines of the file are the file's. */
  wipe(): void {
    for (const bytes of this.#made) bytes.fill(0);
  }

  *pieces(): Generator<Buffer, void, void> {
    yield* this.lead;
    for (const { bytes } of this.#lines) yield bytes;
  }

  /** Drops blank lines at its end, and ends its last line, so that more may follow. */
  trimEnd(): void {
    while (this.#lines.at(-1)?.span.trim().isEmpty) this.#lines.pop();
    this.#endLastLine();
  }

  #endLastLine(): void {
    const last = this.#lines.at(-1);
    if (last === undefined || last.bytes.at(-1) === 0x0a) return;
    last.bytes = this.#own(Buffer.concat([last.bytes, Buffer.from(this.#lineEnd)]));
  }

  #own(bytes: Buffer): Buffer {
    this.#made.push(bytes);
    return bytes;
  }

  #insert(name: string, value: string | Buffer): void {
    const lastSetting = this.#lines.findLastIndex(({ said, isNew }) => isNew || said !== undefined);
    this.#endLastLine();
    const parts = [Buffer.from(`${name} = `), bytesOf(value), Buffer.from(this.#lineEnd)];
    const bytes = this.#own(Buffer.concat(parts));
    const { span } = this.#lines[Math.max(lastSetting, 0)] as BlockLine;
    this.#lines.splice(lastSetting + 1, 0, { bytes, span, said: undefined, isNew: true });
  }

  #isSetting({ said }: BlockLine, name: string): boolean {
    if (said?.kind !== LineKind.Setting || this.section === undefined) return false;
    return findKey(this.section, said.key.text())?.name === name;
  }
}

/** @param bytes  of a file without mistakes; lent to the blocks */
export function blocksOf(bytes: Buffer): ConfigBlock[] {
  const lineEnd = bytes.includes("\r\n") ? "\r\n" : "\n";
  let block = new ConfigBlock(undefined, lineEnd);
  const blocks = [block];
  for (const line of rawLines(bytes)) {
    if (line.said?.kind === LineKind.Section) {
      const lead = block.takeTrailingComments();
      block = new ConfigBlock(findSection(line.said.content.text()), lineEnd);
      block.lead = lead;
      blocks.push(block);
    }
    block.add(bytes, line);
  }
  return blocks;
}

/** Key, equals sign, spaces, comment and line end stay. */
function replaceValue({ said, span, bytes }: BlockLine, value: string | Buffer): Buffer {
  const { start, end } = (said as ConfigLine).value;
  const isEmpty = start >= end;
  const from = isEmpty ? bytes.indexOf("=") + 1 : start - span.start;
  const to = isEmpty ? from : end - span.start;
  const space = Buffer.from(isEmpty ? " " : "");
  return Buffer.concat([bytes.subarray(0, from), space, bytesOf(value), bytes.subarray(to)]);
}

function bytesOf(value: string | Buffer): Buffer {
  return typeof value === "string" ? Buffer.from(value) : value;
}

function isComment({ said, span, isNew }: BlockLine): boolean {
  return said === undefined && !isNew && !span.trim().isEmpty;
}
