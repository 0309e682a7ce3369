// Why a daemon ends: a signal, or whatever part of it has nothing left to do.

/** Waits for the first reason to end. */
export class Ending {
  readonly reached: Promise<string>;
  readonly #onSignal = (signal: NodeJS.Signals): void => this.end(signal);
  readonly #signals: readonly NodeJS.Signals[];
  #reason: string | undefined;
  #resolve!: (reason: string) => void;

  constructor(signals: readonly NodeJS.Signals[]) {
    this.#signals = signals;
    this.reached = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    for (const signal of signals) process.on(signal, this.#onSignal);
  }

  /** Why; undefined: there is no reason yet. */
  get reason(): string | undefined {
    return this.#reason;
  }

  end(reason: string): void {
    this.#reason ??= reason;
    this.#resolve(reason);
  }

  close(): void {
    for (const signal of this.#signals) process.off(signal, this.#onSignal);
  }
}
