// What a log line looks like: JSON for machines, `<priority>text` for the journal, text with colours for a person at a terminal.
// Knows where lines go, not what they say. Sources: sd-daemon(3), systemd.exec(5) $JOURNAL_STREAM, no-color.org.

import { fstatSync, writeSync } from "node:fs";
import { isatty } from "node:tty";

export const logStyles = ["json", "journal", "plain", "colour"] as const;
export type LogStyle = (typeof logStyles)[number];

/** What pino makes of an event. */
interface LogRecord {
  readonly level: number;
  readonly time: number;
  readonly msg?: string;
  readonly interface?: string;
  readonly [field: string]: unknown;
}

interface LevelStyle {
  readonly name: string;
  /** syslog(3). */
  readonly priority: number;
  /** SGR parameter. */
  readonly colour: number;
}

const levels: ReadonlyMap<number, LevelStyle> = new Map([
  [20, { name: "debug", priority: 7, colour: 90 }],
  [30, { name: "info", priority: 6, colour: 32 }],
  [50, { name: "error", priority: 3, colour: 31 }],
]);
const UNKNOWN_LEVEL: LevelStyle = { name: "notice", priority: 5, colour: 33 };
/** Fields that the line shows otherwise, or that whoever reads it has from elsewhere. */
const SHOWN_ELSEWHERE = new Set(["level", "time", "msg", "interface", "pid"]);

/** @returns the style that suits what is behind a descriptor. */
export function chooseStyle(fd: number, env: NodeJS.ProcessEnv): LogStyle {
  if (isJournal(fd, env["JOURNAL_STREAM"])) return "journal";
  if (!isatty(fd)) return "json";
  return env["NO_COLOR"] || env["TERM"] === "dumb" ? "plain" : "colour";
}

/** A destination for pino that writes one readable line an event. Throws nothing: a log that cannot be written is lost. */
export function lineWriter(fd: number, style: Exclude<LogStyle, "json">): { write(line: string): void } {
  return {
    write: (line) => {
      try {
        writeSync(fd, `${formatLine(JSON.parse(line) as LogRecord, style)}\n`);
      } catch {
        // The terminal has gone, or the journal takes nothing: there is nobody to tell.
      }
    },
  };
}

/** @returns one line, without its end, whatever the fields hold */
export function formatLine(record: LogRecord, style: Exclude<LogStyle, "json">): string {
  const level = levels.get(record.level) ?? UNKNOWN_LEVEL;
  const words = [printable(record.msg ?? "")];
  for (const [name, value] of Object.entries(record)) {
    if (!SHOWN_ELSEWHERE.has(name)) words.push(`${name}=${formatValue(value)}`);
  }
  const text = words.join(" ");
  if (style === "journal") return `<${level.priority}>${text}`;
  const time = new Date(record.time).toISOString().slice(11, 23);
  const name = level.name.padEnd(5);
  const label = style === "colour" ? `\u001b[${level.colour}m${name}\u001b[0m` : name;
  return `${time} ${label} ${record.interface ?? ""}: ${text}`;
}

function formatValue(value: unknown): string {
  if (typeof value === "string") return quoteIfNeeded(value);
  if (typeof value !== "object" || value === null) return String(value);
  const { message } = value as { message?: unknown };
  return quoteIfNeeded(typeof message === "string" ? message : JSON.stringify(value));
}

/** Nothing that a peer's name or an error holds can end the line or pass for another field. */
function quoteIfNeeded(text: string): string {
  return /^[\w.:/+=@%,()[\]{}…-]+$/u.test(text) ? text : printable(JSON.stringify(text));
}

function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "�");
}

function isJournal(fd: number, stream: string | undefined): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
