// One seed from its beginning to its end: sites, deeds, healing, silence.

import { Dice } from "./dice.js";
import { type Crypto, Fleet } from "./fleet.js";
import { checkEnd, checkHealing, mend } from "./heal.js";
import { Script } from "./script.js";
import { buildFleet } from "./topology.js";
import { type Invariant, Violation } from "./violation.js";

/** One seed in so many seals with real cryptography, unless it is told otherwise. */
const REFERENCE_EVERY = 64;
const MINUTE_MS = 60_000;

export interface SeedOptions {
  readonly seed: number;
  /** Virtual minutes of deeds; undefined: a few, drawn by the seed. */
  readonly minutes?: number | undefined;
  readonly crypto?: Crypto | undefined;
}

export interface Failure {
  readonly invariant: Invariant;
  readonly message: string;
  readonly atMs: number;
  /** The last events. */
  readonly tail: readonly string[];
}

export interface SeedResult {
  readonly seed: number;
  /** Of everything that happened: the same seed has the same. */
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly packets: number;
  readonly delivered: number;
  readonly failure: Failure | undefined;
}

export async function runSeed({ seed, minutes, crypto }: SeedOptions): Promise<SeedResult> {
  const fleet = await Fleet.create(seed, crypto ?? (seed % REFERENCE_EVERY === 0 ? "reference" : "toy"));
  let failure: Failure | undefined;
  try {
    await live(fleet, new Dice(seed, 3), minutes);
  } catch (error) {
    failure = failureOf(error, fleet);
  }
  const { chronicle, packets } = fleet;
  return {
    seed,
    hash: chronicle.hash(),
    events: chronicle.events,
    virtualMs: fleet.nowMs,
    packets: packets.offered,
    delivered: packets.delivered,
    failure,
  };
}

/** @returns the last events, what went wrong, and the command that makes it go wrong again; "": nothing did */
export function failureText({ seed, failure }: SeedResult, { minutes, crypto }: SeedOptions): string {
  if (failure === undefined) return "";
  const atS = (failure.atMs / 1_000).toFixed(3);
  const more = `${minutes === undefined ? "" : ` --minutes ${minutes}`}${crypto === undefined ? "" : ` --crypto ${crypto}`}`;
  return (
    `${failure.tail.join("\n")}\n\n` +
    `seed ${seed} failed after ${atS} s: [${failure.invariant}] ${failure.message}\n` +
    `replay: npm run sim -- --seed ${seed}${more}\n`
  );
}

async function live(fleet: Fleet, dice: Dice, minutes: number | undefined): Promise<void> {
  buildFleet(fleet, dice);
  const endMs = (minutes ?? dice.between(3, 15)) * MINUTE_MS;
  do {
    const script = new Script(fleet, dice);
    const roundMs = Math.min(endMs, fleet.nowMs + dice.between(2, 12) * MINUTE_MS);
    while (fleet.nowMs < roundMs) {
      script.act();
      await fleet.run(Math.min(script.gapMs(), Math.max(0, roundMs - fleet.nowMs)));
    }
    script.isOver = true;
    mend(fleet);
    await checkHealing(fleet);
  } while (fleet.nowMs < endMs);
  await checkEnd(fleet);
}

function failureOf(error: unknown, fleet: Fleet): Failure {
  const isViolation = error instanceof Violation;
  const message = isViolation ? error.message : String((error as Error).stack ?? error);
  return {
    invariant: isViolation ? error.invariant : "exception",
    message,
    atMs: fleet.nowMs,
    tail: fleet.chronicle.tail(),
  };
}
