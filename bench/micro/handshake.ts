// The Noise handshake in both roles with the daemon's primitives, macs left out: they are a hash each.
import {
  beginKeypair,
  consumeInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  Handshake,
  HandshakeContext,
} from "../../src/core/noise/handshake.js";
import { Identity } from "../../src/core/noise/identity.js";
import { encodeTai64n } from "../../src/core/noise/tai64n.js";
import { fillRandom } from "../../src/io/entropy.js";
import { createNativePrimitives } from "../../src/io/native-primitives.js";
import { type Group, must, timeNs } from "./case.js";

interface Side {
  readonly context: HandshakeContext;
  readonly handshake: Handshake;
}

export const handshakeGroup: Group = {
  name: "handshake",
  async cases() {
    const primitives = await createNativePrimitives();
    const identities = [new Identity(primitives, random32()), new Identity(primitives, random32())] as const;
    const side = (own: 0 | 1): Side => {
      const context = new HandshakeContext(primitives, identities[own]);
      return { context, handshake: new Handshake(context, identities[own === 0 ? 1 : 0].publicKey) };
    };
    const [initiator, responder] = [side(0), side(1)];
    let seconds = 1;
    const run = (role: 0 | 1) => (): number => shakeHands(initiator, responder, seconds++)[role];
    return [
      { name: "initiator: write initiation, read response, derive keys", operations: 1, run: run(0) },
      { name: "responder: read initiation, write response, derive keys", operations: 1, run: run(1) },
    ];
  },
};

/** @returns nanoseconds that each role took. */
function shakeHands(initiator: Side, responder: Side, seconds: number): [number, number] {
  const [initiation, response, timestamp] = [new Uint8Array(148), new Uint8Array(92), new Uint8Array(12)];
  const ephemerals = [random32(), random32()] as const;
  encodeTai64n(timestamp, seconds, 0);
  const initiatorNs = [0, 0];
  initiatorNs[0] = timeNs(() => {
    createInitiation(initiator.context, initiator.handshake, initiation, ephemerals[0], timestamp, 1);
  });
  let complete = false;
  const responderNs = timeNs(() => {
    const found = consumeInitiation(responder.context, initiation, () => responder, seconds * 1_000);
    if (found !== responder) return;
    createResponse(responder.context, responder.handshake, response, ephemerals[1], 2);
    complete = beginKeypair(responder.handshake) !== undefined;
  });
  initiatorNs[1] = timeNs(() => {
    consumeResponse(initiator.context, response, initiator.handshake);
    complete &&= beginKeypair(initiator.handshake) !== undefined;
  });
  must(complete, "a handshake failed");
  return [initiatorNs[0]! + initiatorNs[1]!, responderNs];
}

function random32(): Uint8Array {
  const bytes = new Uint8Array(32);
  fillRandom(bytes);
  return bytes;
}
