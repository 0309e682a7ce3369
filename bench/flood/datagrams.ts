// The datagrams of each flood, all made before the first is sent: what a sender can afford who wants to be a nuisance.
import { randomBytes, randomInt } from "node:crypto";
import { INITIATION_BYTES, MAC1_FROM_END } from "../../src/core/noise/constants.js";
import { deriveMac1Key } from "../../src/core/noise/identity.js";
import type { Primitives } from "../../src/core/noise/primitives.js";

export const floodNames = [
  "none",
  "elsewhere",
  "initiations",
  "initiations6",
  "onesource",
  "garbage",
  "data",
  "replay",
] as const;
export type FloodName = (typeof floodNames)[number];

/** What each flood is, for the table. */
export const floodTitles: Readonly<Record<FloodName, string>> = {
  none: "nothing",
  elsewhere: "the same initiations, to a port that nobody listens on",
  initiations: "initiations with a valid mac1, 4,096 IPv4 sources",
  initiations6: "the same, 4,096 IPv6 sources in as many /64",
  onesource: "the same, one IPv4 source",
  garbage: "garbage, half of it initiations with a wrong mac1",
  data: "transport data of 1,452 bytes, valid receiver index, wrong tag",
  replay: "one recorded initiation again and again",
};

/** What a flood is made from. */
export interface FloodMaterial {
  /** Of the gateway that is flooded, base64: everybody may know it. */
  readonly publicKey: string;
  /** An initiation that the gateway has answered, hex. */
  readonly initiation: string;
  /** Of a keypair that the gateway uses: whoever sits on the path sees it. */
  readonly receiverIndex: number;
}

export const DISTINCT = 4_096;
const DATA_BYTES = 1_452;
const GARBAGE_BYTES_MAX = 1_400;

/** @returns DISTINCT datagrams. */
export function floodDatagrams(name: FloodName, material: FloodMaterial, primitives: Primitives): Uint8Array[] {
  const make = makers[name];
  const mac1Key = deriveMac1Key(primitives, Buffer.from(material.publicKey, "base64"));
  const withMac1 = (): Uint8Array => initiation(primitives, mac1Key);
  return Array.from({ length: DISTINCT }, (_, i) => make(i, material, withMac1));
}

type Maker = (i: number, material: FloodMaterial, withMac1: () => Uint8Array) => Uint8Array;

const makers: Readonly<Record<FloodName, Maker>> = {
  none: () => new Uint8Array(0),
  elsewhere: (_i, _material, withMac1) => withMac1(),
  initiations: (_i, _material, withMac1) => withMac1(),
  initiations6: (_i, _material, withMac1) => withMac1(),
  onesource: (_i, _material, withMac1) => withMac1(),
  garbage: (i) => (i % 2 === 0 ? typed(1, INITIATION_BYTES) : randomBytes(randomInt(1, GARBAGE_BYTES_MAX))),
  data: (_i, { receiverIndex }) => {
    const datagram = typed(4, DATA_BYTES);
    datagram.writeUInt32LE(receiverIndex, 4);
    datagram.writeBigUInt64LE(BigInt(randomInt(2 ** 40)), 8);
    return datagram;
  },
  replay: (_i, material) => Buffer.from(material.initiation, "hex"),
};

function typed(type: number, bytes: number): Buffer {
  const datagram = randomBytes(bytes);
  datagram.writeUInt32LE(type, 0);
  return datagram;
}

/** Only its mac1 is right, which is as dear as an initiation gets for whoever takes it up and as cheap as it gets to make. */
function initiation(primitives: Primitives, mac1Key: Uint8Array): Uint8Array {
  const message = typed(1, INITIATION_BYTES);
  const mac1At = INITIATION_BYTES - MAC1_FROM_END;
  const mac1 = new Uint8Array(16);
  primitives.mac16(mac1, mac1Key, message, 0, mac1At);
  message.set(mac1, mac1At);
  message.fill(0, mac1At + mac1.length);
  return message;
}
