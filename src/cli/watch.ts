// The same picture again and again until Ctrl-C. A terminal gets its screen back as it was; a dumb one, or a pipe, gets picture
// below picture.

import { isatty } from "node:tty";
import { NotRunningError } from "../daemon/control-client.js";
import { printData } from "./output.js";
import { chooseTextStyle, printLines, type Terminal, type TextStyle } from "./text-style.js";

export interface Watched {
  readonly intervalMs: number;
  /** No separators: each frame is a line for a program. */
  readonly isPlain: boolean;
  /** Errors: NotRunningError is shown, and tried again. */
  readonly frame: (style: TextStyle) => Promise<string[]>;
}

const STDOUT = 1;
/** Of a terminal that does not say. */
const ROWS_UNKNOWN = 24;
const ALTERNATE_SCREEN = "\u001b[?1049h\u001b[?25l";
const BACK = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/** stdout, when it is a terminal. A pipe is left alone: to look at process.stdout makes it non-blocking. */
export function terminal(): Terminal & { readonly rows?: number } {
  return isatty(STDOUT) ? process.stdout : {};
}

/** @returns the exit status, 0, after SIGINT, SIGTERM, SIGHUP, or when nobody reads any more. Errors: of the frame. */
export async function watch(watched: Watched): Promise<number> {
  const hasScreen = !watched.isPlain && isatty(STDOUT) && process.env["TERM"] !== "dumb";
  const pause = new Pause();
  if (hasScreen) printData(ALTERNATE_SCREEN);
  const redraw = (): void => pause.end();
  if (hasScreen) process.stdout.on("resize", redraw);
  try {
    for (let count = 0; !pause.isStopped; count++) {
      const isRead = draw(await frameOf(watched), { hasScreen, isPlain: watched.isPlain, isFirst: count === 0 });
      if (!isRead) break;
      await pause.wait(watched.intervalMs);
    }
  } finally {
    if (hasScreen) process.stdout.off("resize", redraw);
    if (hasScreen) printData(BACK);
    pause.close();
  }
  return 0;
}

async function frameOf({ frame, isPlain }: Watched): Promise<string[]> {
  try {
    return await frame(chooseTextStyle(terminal(), process.env));
  } catch (error) {
    if (error instanceof NotRunningError && !isPlain) return [error.message];
    throw error;
  }
}

function draw(lines: string[], how: { hasScreen: boolean; isPlain: boolean; isFirst: boolean }): boolean {
  if (!how.hasScreen) return printLines(how.isPlain || how.isFirst ? lines : ["", ...lines]);
  const shown = cutToScreen(lines, terminal().rows || ROWS_UNKNOWN);
  return printData(`${HOME}${shown.map((line) => line + CLEAR_LINE).join("\r\n")}${CLEAR_BELOW}`);
}

/** What is longer than the screen is cut, and said to be. */
function cutToScreen(lines: readonly string[], rows: number): string[] {
  if (lines.length <= rows) return [...lines];
  const shown = Math.max(1, rows - 1);
  return [...lines.slice(0, shown), `… ${lines.length - shown} more lines`];
}

/** Sleep that a signal ends for good. */
class Pause {
  isStopped = false;
  #wake: (() => void) | undefined;
  readonly #stop = (): void => {
    this.isStopped = true;
    this.end();
  };

  constructor() {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, this.#stop);
  }

  wait(ms: number): Promise<void> {
    if (this.isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  end(): void {
    this.#wake?.();
  }

  close(): void {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, this.#stop);
  }
}
