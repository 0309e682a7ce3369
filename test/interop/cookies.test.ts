// Cookies under load, longhaul and wireguard-go in both directions: a responder that is flooded with initiations of a
// stranger, whose mac1 is right, answers with a cookie reply, and the initiator gets in by that cookie.
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { CookieGenerator } from "../../src/core/noise/cookie.js";
import { createInitiation, Handshake, HandshakeContext } from "../../src/core/noise/handshake.js";
import { Identity } from "../../src/core/noise/identity.js";
import { createPrimitives } from "../../src/core/noise/primitives.js";
import { TimestampSource } from "../../src/core/noise/tai64n.js";
import { type DaemonProgram, longhaul, wireguardGo } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { ping } from "../support/traffic.js";
import { MessageType, startWiredPair, type WiredPair } from "../support/wire.js";

const tools = requireTools(["ip", "wg", "ping", "wireguard-go"]);
const INITIATION_BYTES = 148;
const MAC2_BYTES = 16;
/** Enough at once, and again within the second that the state lasts, to keep each under load. */
const FLOOD_LONGHAUL = 700;
const FLOOD_WIREGUARD_GO = 3_000;
const ATTEMPTS = 3;
/** Five initiations' time. */
const COOKIE_WAIT_MS = 25_000;
/** Two more initiations, should the flood's rest swallow the one with the cookie. */
const AFTER_COOKIE_MS = 12_000;

/** Initiations for `publicKey` by somebody it does not know, each with a right mac1. */
async function strangersInitiations(publicKey: string, count: number): Promise<Buffer[]> {
  const primitives = await createPrimitives();
  const remote = Buffer.from(publicKey, "base64");
  const context = new HandshakeContext(primitives, new Identity(primitives, randomBytes(32)));
  const handshake = new Handshake(context, remote);
  const cookies = new CookieGenerator(primitives, remote);
  const timestamp = new Uint8Array(12);
  const timestamps = new TimestampSource();
  return Array.from({ length: count }, (_, i) => {
    const message = new Uint8Array(INITIATION_BYTES);
    timestamps.next(timestamp, Date.now());
    createInitiation(context, handshake, message, randomBytes(32), timestamp, i + 1);
    cookies.addMacs(message, 0);
    return Buffer.from(message);
  });
}

/** Whether the left gateway has sent an initiation with a cookie's mac2 since the last look. */
async function sentMac2(pair: WiredPair): Promise<boolean> {
  const initiations = await pair.wire.recorded("left", MessageType.Initiation);
  await pair.wire.forget();
  return initiations.some(({ bytes }) => bytes.subarray(INITIATION_BYTES - MAC2_BYTES).some((byte) => byte !== 0));
}

/** Floods the right end until it answers with cookies. @returns whether it did. */
async function bringUnderLoad(pair: WiredPair, flood: readonly Buffer[]): Promise<boolean> {
  for (let round = 0; round < 40; round++) {
    await pair.wire.inject("left", flood);
    if ((await pair.wire.recorded("right", MessageType.CookieReply)).length > 0) return true;
  }
  return false;
}

/**
 * The left gateway's own initiations, sent while the right one is under load, which is kept so.
 * @returns true when one came with a mac2; false when a full queue swallowed them all, or when one got through unasked
 */
async function cookieUsed(pair: WiredPair, flood: readonly Buffer[]): Promise<boolean> {
  await pair.wire.forget();
  const deadlineMs = Date.now() + COOKIE_WAIT_MS;
  while (Date.now() < deadlineMs) {
    await pair.wire.inject("left", flood);
    if (await sentMac2(pair)) return true;
    if ((await pair.right.peer()).latestHandshake > 0) return false;
  }
  return false;
}

/** One pair of gateways, from the flood to a handshake by cookie. @returns whether a cookie was what got it in */
async function attempt(programs: readonly [DaemonProgram, DaemonProgram], count: number): Promise<boolean> {
  const pair = await startWiredPair({ programs });
  try {
    const flood = await strangersInitiations(pair.right.keys.publicKey, count);
    expect(await bringUnderLoad(pair, flood)).toBe(true);
    const stop = new AbortController();
    const pinging = pingUntilAnswered(pair, stop.signal);
    pinging.catch(() => undefined); // an error of the flood's comes first, and closes the lab under the pings
    const used = await cookieUsed(pair, flood).finally(() => stop.abort());
    const answered = await pinging;
    if (!used) return false;
    expect(answered).toBe(true);
    expect((await pair.right.peer()).latestHandshake).toBeGreaterThan(0);
    return true;
  } finally {
    await pair.lab.close();
  }
}

/** Pings through the tunnel; goes on until `stop` and then for as long as a handshake by cookie may take. */
async function pingUntilAnswered(pair: WiredPair, stop: AbortSignal): Promise<boolean> {
  let deadlineMs = Number.POSITIVE_INFINITY;
  stop.addEventListener("abort", () => {
    deadlineMs = Date.now() + AFTER_COOKIE_MS;
  });
  for (;;) {
    if ((await ping(pair.left.host, pair.right.address(), { count: 1, waitS: 1 })) > 0) return true;
    if (Date.now() > deadlineMs) return false;
  }
}

describe("cookies", tools, () => {
  test.each([
    ["longhaul is flooded, wireguard-go gets in", [wireguardGo, longhaul] as const, FLOOD_LONGHAUL],
    ["wireguard-go is flooded, longhaul gets in", [longhaul, wireguardGo] as const, FLOOD_WIREGUARD_GO],
  ])("%s", async (_, programs, count) => {
    // A flood that pauses on a busy machine lets an initiation in without a cookie: that attempt shows nothing.
    let used = false;
    for (let round = 0; round < ATTEMPTS && !used; round++) used = await attempt(programs, count);
    expect(used).toBe(true);
  });
});
