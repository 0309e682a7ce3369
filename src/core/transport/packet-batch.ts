// A batch of packets as the protocol core sees it: parallel typed arrays over one arena, filled and emptied by I/O.
// The tun-tap-ts package has the class; test/core compares its numbers with these. No I/O here.

/** Cells of {@link PacketBatch.header}. */
export const HeaderCell = {
  PacketCount: 0,
  RunCount: 1,
  ArenaUsed: 2,
  EndpointCount: 3,
  PadLimit: 4,
} as const;

/** Bytes before each plaintext that seal turns into the data header. */
export const HEADROOM_BYTES = 16;
export const TAG_BYTES = 16;
/** Data header and tag: what seal adds to the padded plaintext. */
export const SEAL_OVERHEAD_BYTES = HEADROOM_BYTES + TAG_BYTES;
const PAD_TO_BYTES = 16;

/** What stands in a run's slots. Inbound kinds 1–4 are the message types of [W] 5.4. */
export const RunKind = {
  Malformed: 0,
  Initiation: 1,
  Response: 2,
  CookieReply: 3,
  Data: 4,
  Raw: 5,
} as const;

/** runKey of a run that seal and open pass by. */
export const NO_KEY = -1;
/** runEndpoint of a run that send passes by. */
export const NO_ENDPOINT = -1;

/**
 * Parallel columns: packets in slots [0, header[PacketCount]), runs in rows [0, header[RunCount]). A run's packets
 * stand in slots [runFirst, runFirst + runCount) and share their fate.
 */
export interface PacketBatch {
  readonly header: Int32Array;
  /** Inbound: the datagram's counter. */
  readonly packetCounter: Float64Array;
  /** Outbound: counter of the run's first packet. */
  readonly runCounter: Float64Array;
  /** From the arena's start, bytes. */
  readonly packetOffset: Int32Array;
  /** Bytes. */
  readonly packetLength: Int32Array;
  /** 0 good; > 0 a DropReason; < 0 -errno of a native refusal. */
  readonly packetStatus: Int32Array;
  readonly runFirst: Int32Array;
  readonly runCount: Int32Array;
  readonly runKind: Int32Array;
  readonly runReceiver: Uint32Array;
  readonly runKey: Int32Array;
  /** Outbound: row of the device's endpoint table. Inbound: row of this batch's own records. */
  readonly runEndpoint: Int32Array;
  /** Outer IPv4 TOS or IPv6 traffic class. */
  readonly runTos: Int32Array;
  /** Endpoint records of a receive. */
  readonly endpoints: Uint8Array;
  readonly arena: Uint8Array;
}

/** @returns bytes that seal encrypts for a plaintext of `lengthBytes`: padded to 16, never beyond `limitBytes`. */
export function paddedLength(lengthBytes: number, limitBytes: number): number {
  if (lengthBytes > limitBytes) return lengthBytes;
  const padded = (lengthBytes + PAD_TO_BYTES - 1) & ~(PAD_TO_BYTES - 1);
  return padded > limitBytes ? limitBytes : padded;
}
