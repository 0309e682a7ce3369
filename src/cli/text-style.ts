// What text on a terminal looks like: colours where they are wanted, lines broken at its width. Piped text has neither.
// Sources: no-color.org; $TERM=dumb.

import { printData } from "./output.js";

export interface TextStyle {
  readonly colour: boolean;
  /** Characters a line; Infinity: lines are not broken. */
  readonly width: number;
}

/** What a style is chosen by: process.stdout, in the end. */
export interface Terminal {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Narrower is not read by anybody; one word a line helps nobody. */
const WIDTH_MIN = 40;
/** Of a terminal that does not say. */
const WIDTH_UNKNOWN = 80;

/** SGR parameters. */
const colours = { bold: 1, red: 31, green: 32, yellow: 33, cyan: 36, grey: 90 } as const;
export type Colour = keyof typeof colours;

export function chooseTextStyle({ isTTY, columns }: Terminal, env: NodeJS.ProcessEnv): TextStyle {
  if (isTTY !== true) return { colour: false, width: Number.POSITIVE_INFINITY };
  const colour = !env["NO_COLOR"] && env["TERM"] !== "dumb";
  return { colour, width: columns ? Math.max(WIDTH_MIN, columns) : WIDTH_UNKNOWN };
}

/** Nothing that a name holds can move the cursor or end a line. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "�");
}

export function paint(style: TextStyle, colour: Colour, text: string): string {
  return style.colour ? `\u001b[${colours[colour]}m${text}\u001b[0m` : text;
}

/**
 * Breaks text at spaces; what is longer than a line stays whole, so that a command or a key can be copied.
 * @param indent  of the first line  @param hanging  of the others
 * @returns lines without their ends, no colours in them
 */
export function wrap(text: string, style: TextStyle, indent: string, hanging = indent): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of printable(text).split(" ")) {
    const lead = lines.length === 0 ? indent : hanging;
    if (line === "") line = lead + word;
    else if (line.length + 1 + word.length <= style.width) line += ` ${word}`;
    else {
      lines.push(line);
      line = hanging + word;
    }
  }
  lines.push(line);
  return lines;
}

/** @returns whether somebody still reads. Errors: system errors. */
export function printLines(lines: readonly string[]): boolean {
  return printData(lines.map((line) => `${line}\n`).join(""));
}
