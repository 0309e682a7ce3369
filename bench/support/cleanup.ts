// What has to be undone when a bench ends, whatever ends it.
import { rm } from "node:fs/promises";

const ENDING_SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Things to undo, the last first. A signal undoes them all and ends the process. */
export class Cleanup {
  readonly #undo: Array<() => Promise<void>> = [];
  #running: Promise<void> | undefined;
  #interrupted = false;

  /** @param onSignal  called before anything is undone */
  constructor(onSignal: () => void) {
    for (const [signal, status] of Object.entries(ENDING_SIGNALS)) {
      process.on(signal, () => {
        if (this.#interrupted) return;
        this.#interrupted = true;
        onSignal();
        process.stderr.write("bench: interrupted; taking everything down\n");
        this.run().finally(() => process.exit(status));
      });
    }
  }

  add(undo: () => Promise<void>): void {
    this.#undo.push(undo);
  }

  /** Removes a directory at the end. */
  addDirectory(path: string): void {
    this.add(() => rm(path, { recursive: true, force: true }));
  }

  /** Does `work` and undoes everything. @returns what it returns. Errors: its own, unless a signal made them. */
  async around<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (this.#interrupted) return new Promise(() => {}); // the signal's handler ends the process
      throw error;
    } finally {
      if (!this.#interrupted) await this.run();
    }
  }

  /** Undoes everything. Safe to call twice. */
  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) {
      await undo().catch((error: unknown) => process.stderr.write(`bench: ${String(error)}\n`));
    }
  }
}
