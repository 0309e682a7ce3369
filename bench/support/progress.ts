// Progress on standard error: what is being measured, how far, how long it will still take.
const CLEAR_LINE = "\r\u001b[K";

/** Steps of known estimated length; the estimate is corrected by how long those done so far took. */
export class Progress {
  readonly #totalS: number;
  readonly #moving = process.stderr.isTTY === true && process.env["TERM"] !== "dumb";
  #doneS = 0;
  #spentS = 0;
  #silent = false;

  /** @param totalS  seconds that all steps together should take */
  constructor(totalS: number) {
    this.#totalS = totalS;
  }

  /** Runs one step that should take `estimateS` seconds. @returns what it returns. */
  async step<T>(what: string, estimateS: number, work: () => Promise<T>): Promise<T> {
    this.#show(what);
    const startedMs = performance.now();
    try {
      return await work();
    } finally {
      this.#doneS += estimateS;
      this.#spentS += (performance.now() - startedMs) / 1_000;
    }
  }

  /** A line that stays. */
  note(text: string): void {
    if (!this.#silent) process.stderr.write(`${this.#moving ? CLEAR_LINE : ""}${text}\n`);
  }

  /** Takes a moving line away; `forGood`: what fails from now on does so because everything is being taken down. */
  end(forGood = false): void {
    if (this.#moving && !this.#silent) process.stderr.write(CLEAR_LINE);
    this.#silent ||= forGood;
  }

  #show(what: string): void {
    if (this.#silent) return;
    const pace = this.#doneS === 0 ? 1 : this.#spentS / this.#doneS;
    const left = formatDuration(Math.max(0, this.#totalS - this.#doneS) * pace);
    const percent = Math.floor((100 * this.#doneS) / Math.max(1, this.#totalS));
    const text = `[${String(Math.min(99, percent)).padStart(2)} %, ${left} left] ${what}`;
    process.stderr.write(this.#moving ? `${CLEAR_LINE}${text}` : `${text}\n`);
  }
}

/** `41 s`, `3 min 5 s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
