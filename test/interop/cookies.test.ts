// Cookies under load, longhaul and wireguard-go in both directions: a responder that is flooded with initiations of a
// stranger, whose mac1 is right, answers with a cookie reply, and the initiator gets in by that cookie.
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { CookieGenerator } from "../../src/core/noise/cookie.js";
import { createInitiation, Handshake, HandshakeContext } from "../../src/core/noise/handshake.js";
import { Identity } from "../../src/core/noise/identity.js";
import { createPrimitives } from "../../src/core/noise/primitives.js";
import { TimestampSource } from "../../src/core/noise/tai64n.js";
import { longhaul, wireguardGo } from "../support/programs.js";
import { requireTools } from "../support/require-tools.js";
import { ping } from "../support/traffic.js";
import { MessageType, startWiredPair, type WiredPair } from "../support/wire.js";

const tools = requireTools(["ip", "wg", "ping", "wireguard-go"]);
const INITIATION_BYTES = 148;
const MAC2_BYTES = 16;
/** Enough at once, and again within the second that the state lasts, to keep each under load. */
const FLOOD_LONGHAUL = 700;
const FLOOD_WIREGUARD_GO = 3_000;

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

describe("cookies", tools, () => {
  test.each([
    ["longhaul is flooded, wireguard-go gets in", [wireguardGo, longhaul] as const, FLOOD_LONGHAUL],
    ["wireguard-go is flooded, longhaul gets in", [longhaul, wireguardGo] as const, FLOOD_WIREGUARD_GO],
  ])("%s", async (_, programs, count) => {
    const pair = await startWiredPair({ programs });
    try {
      const flood = await strangersInitiations(pair.right.keys.publicKey, count);
      let replies = 0;
      for (let round = 0; round < 40 && replies === 0; round++) {
        await pair.wire.inject("left", flood);
        replies = (await pair.wire.recorded("right", MessageType.CookieReply)).length;
      }
      expect(replies).toBeGreaterThan(0);
      // The gateway's own initiation, sent while the other end is under load, is answered by a cookie.
      let withMac2 = false;
      await pair.wire.forget();
      const pinging = ping(pair.left.host, pair.right.address(), { count: 80, intervalS: 0.25, waitS: 1 });
      for (let round = 0; round < 40 && !withMac2; round++) {
        await pair.wire.inject("left", flood);
        withMac2 = await sentMac2(pair);
      }
      expect(withMac2).toBe(true);
      expect(await pinging).toBeGreaterThan(0);
      expect((await pair.right.peer()).latestHandshake).toBeGreaterThan(0);
    } finally {
      await pair.lab.close();
    }
  });
});
