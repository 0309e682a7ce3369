// Work that takes many turns of the event loop and must not mix with others of its kind.

export class OneAtATime {
  /** Settles when all that was asked for is over. */
  #last: Promise<unknown> = Promise.resolve();

  /** Does `work` after all before it. @returns what it returns. Errors: its own; they stop nobody else */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}
