// Keeps the network of one interface as somebody wants it: applies the difference to what the kernel has, remembers it in a journal, and
// takes it all away in the end. What it did not set it does not touch.

import { applySteps, doAnyway } from "./apply-steps.js";
import { flatMapInSlices } from "./in-slices.js";
import { type Journal, readJournal, removeJournal, writeJournal } from "./journal.js";
import { inForce } from "./kernel-view.js";
import { bareNetwork, type NetworkState, type Route } from "./network-state.js";
import { describeAction, mayTakeAlong, networkSteps, routeKey, type Step } from "./network-steps.js";

export interface AppliedNetwork {
  /** Commands that were run. */
  readonly changes: readonly string[];
  readonly warnings: readonly string[];
}

export class InterfaceNetwork {
  readonly #name: string;
  readonly #journalPath: string;
  #state: NetworkState | undefined;
  #isComplete = false;

  /** @param journalPath  a file that does not survive a reboot */
  constructor(name: string, journalPath: string) {
    this.#name = name;
    this.#journalPath = journalPath;
  }

  /** What was applied last; undefined: nothing yet. */
  get state(): NetworkState | undefined {
    return this.#state;
  }

  /** Whether a daemon, this one or the last, came all the way up with this interface. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Notes that all is done. Rejects never. */
  async complete(): Promise<void> {
    if (this.#isComplete) return;
    this.#isComplete = true;
    if (this.#state !== undefined) await this.#note([this.#state]); //  apply() has warned if it cannot be written
  }

  /**
   * Finds what the last daemon of this name left. Where it left its interface too, that is taken over as it is; else rules, filter
   * and name servers go. @returns what was taken away or over, for the log
   */
  async recover(interfaceIsKept: boolean): Promise<string[]> {
    const journal = await readJournal(this.#journalPath);
    this.#isComplete = interfaceIsKept && journal?.isComplete !== false;
    if (journal === undefined) return [];
    const [last, ...others] = journal.states;
    if (interfaceIsKept && last !== undefined && others.length === 0) {
      this.#state = last;
      return ["the interface with its addresses, routes and rules was taken over"];
    }
    const removed = journal.states.flatMap((state) => leftoverSteps(this.#name, state));
    await doAnyway(removed); //  what is not there any more needs no removal
    await removeJournal(this.#journalPath);
    return removed.map(({ action }) => describeAction(action));
  }

  /** @returns the steps that {@link apply} would take */
  async plan(to: NetworkState): Promise<Step[]> {
    return this.#steps(await this.#now(to), to);
  }

  /**
   * Makes the network as `to` says. Errors: StepError, with everything as it was before; a file that cannot be written is only a
   * warning, because all it costs is tidying up after a crash.
   */
  async apply(to: NetworkState): Promise<AppliedNetwork> {
    const previous = this.#state;
    const from = await this.#now(to);
    const steps = await this.#steps(from, to);
    const warnings = steps.length === 0 ? [] : await this.#note([to, ...(previous === undefined ? [] : [previous])]);
    try {
      const applied = await applySteps(steps);
      this.#state = whatWorked(from, to, applied.done);
      if (mayTakeAlong(from, to)) await applySteps(await this.#steps(await this.#now(to), this.#state));
      if (steps.length > 0) warnings.push(...(await this.#note([this.#state])).slice(warnings.length));
      return {
        changes: applied.done.map(({ action }) => describeAction(action)),
        warnings: [...warnings, ...applied.warnings],
      };
    } catch (error) {
      await this.#repair(previous);
      throw error;
    }
  }

  /**
   * Takes away everything that was applied. @param interfaceIsGone  somebody deleted it: only what is outside of it is left
   * @returns what could not be taken away
   */
  async clear(interfaceIsGone: boolean): Promise<string[]> {
    const state = this.#state;
    if (state === undefined) return [];
    const steps = interfaceIsGone
      ? leftoverSteps(this.#name, state)
      : await this.#steps(await this.#now(state).catch(() => state), bareNetwork(state.mtu));
    this.#state = undefined;
    const problems = await doAnyway(steps);
    await removeJournal(this.#journalPath);
    return problems;
  }

  /** @returns the steps that {@link clear} takes */
  clearSteps(): Step[] {
    const state = this.#state;
    return state === undefined ? [] : networkSteps(this.#name, state, bareNetwork(state.mtu));
  }

  /** As {@link networkSteps}; ten thousand routes that stay hold up nobody. */
  async #steps(from: NetworkState, to: NetworkState): Promise<Step[]> {
    const going = await without(from.routes, to.routes);
    const coming = await without(to.routes, from.routes);
    return networkSteps(this.#name, { ...from, routes: going }, { ...to, routes: coming });
  }

  /** What of the last state and of `to` is in force: what an admin did by hand and then wrote into the file is there already. */
  async #now(to: NetworkState): Promise<NetworkState> {
    const last = this.#state ?? bareNetwork(to.mtu);
    const both = {
      ...last,
      addresses: [...new Set([...last.addresses, ...to.addresses])],
      routes: [...last.routes, ...(await without(to.routes, last.routes))],
    };
    return inForce(this.#name, both);
  }

  /** After a failure: what taking back the steps did not bring back. */
  async #repair(previous: NetworkState | undefined): Promise<void> {
    this.#state = previous;
    if (previous === undefined) {
      await removeJournal(this.#journalPath);
      return;
    }
    try {
      await doAnyway(await this.#steps(await this.#now(previous), previous));
      await this.#note([previous]);
    } catch {
      // the interface is gone: there is nothing to repair
    }
  }

  /** @returns a warning where the journal cannot be written */
  async #note(states: readonly NetworkState[]): Promise<string[]> {
    try {
      await writeJournal(this.#journalPath, { states, isComplete: this.#isComplete } satisfies Journal);
      return [];
    } catch (error) {
      return [
        `${this.#journalPath} cannot be written (${(error as NodeJS.ErrnoException).code}): rules and name servers would stay behind if this daemon were killed`,
      ];
    }
  }
}

/** @returns those of `routes` that are not among `others` */
async function without(routes: readonly Route[], others: readonly Route[]): Promise<Route[]> {
  const keys = new Set(await flatMapInSlices(others, routeKey));
  return flatMapInSlices(routes, (route) => (keys.has(routeKey(route)) ? [] : [route]));
}

/** Rules, filter and name servers of a state whose interface is gone. */
function leftoverSteps(name: string, state: NetworkState): Step[] {
  const from = { ...state, addresses: [], routes: [] };
  return networkSteps(name, from, { ...from, fullTunnel: undefined, hasFilter: false, dns: undefined });
}

/** The state without what turned out to be impossible here. */
function whatWorked(from: NetworkState, to: NetworkState, done: readonly Step[]): NetworkState {
  const did = (kind: Step["action"]["kind"]): boolean => done.some(({ action }) => action.kind === kind);
  const hasFilter = to.hasFilter === true && (did("nft") || from.hasFilter === true);
  const dnsIsNew = JSON.stringify(from.dns ?? null) !== JSON.stringify(to.dns ?? null);
  return { ...to, hasFilter, dns: dnsIsNew && !did("resolvconf") ? from.dns : to.dns };
}
