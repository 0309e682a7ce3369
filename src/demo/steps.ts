// The demo's talk: each step shows while it happens and then with the time it took. A terminal gets a moving line,
// anything else plain lines.
import type { WriteStream } from "node:tty";

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const;
const FRAME_MS = 80;
const CLEAR_LINE = "\r\u001b[K";

/** Tells what a step found out; shown under it once it is done. */
export type Note = (text: string) => void;

/** Writes the progress of a list of steps. */
export class Steps {
  readonly #out: WriteStream;
  readonly #moving: boolean;
  readonly #colour: boolean;
  #spinner: NodeJS.Timeout | undefined;
  #silent = false;

  constructor(out: WriteStream = process.stdout) {
    this.#out = out;
    this.#moving = out.isTTY === true && process.env["TERM"] !== "dumb";
    this.#colour = this.#moving && (process.env["NO_COLOR"] ?? "") === "";
  }

  /** Runs one step. @returns what it returns. Errors: those of the step, after it was shown as failed. */
  async step<T>(title: string, work: (note: Note) => Promise<T>): Promise<T> {
    const notes: string[] = [];
    const startedMs = performance.now();
    this.#begin(title);
    try {
      const result = await work((text) => notes.push(text));
      this.#end(this.#paint("✓", 32), title, startedMs, notes);
      return result;
    } catch (error) {
      this.#end(this.#paint("✗", 31), title, startedMs, notes);
      throw error;
    }
  }

  /** A line of its own. */
  say(text = ""): void {
    if (!this.#silent) this.#out.write(`${text}\n`);
  }

  /** Says nothing more: the demo is being taken down, and what fails now fails because of that. */
  silence(): void {
    this.#stop();
    this.#silent = true;
  }

  /** Stops a moving line, so that what is written next starts a line of its own. */
  #stop(): void {
    if (this.#spinner === undefined) return;
    clearInterval(this.#spinner);
    this.#spinner = undefined;
    this.#out.write(CLEAR_LINE);
  }

  #begin(title: string): void {
    if (!this.#moving || this.#silent) {
      this.say(`… ${title}`);
      return;
    }
    let frame = 0;
    const draw = (): void => {
      this.#out.write(`${CLEAR_LINE}${this.#paint(FRAMES[frame++ % FRAMES.length]!, 36)} ${title}`);
    };
    draw();
    this.#spinner = setInterval(draw, FRAME_MS);
  }

  #end(mark: string, title: string, startedMs: number, notes: readonly string[]): void {
    this.#stop();
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    this.say(`${mark} ${title} ${this.#paint(`(${seconds} s)`, 2)}`);
    for (const note of notes) this.say(`    ${note.replaceAll("\n", "\n    ")}`);
  }

  #paint(text: string, code: number): string {
    return this.#colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}
