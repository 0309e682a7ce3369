// The memory of a packet batch: one ArrayBuffer that JavaScript and native code share, attached once.
// Layout: native/src/layout.h; a test compares every number. It must not load the addon: simulators use it too.

/** Cells of {@link PacketBatch.header}. */
export const HeaderCell = {
  PacketCount: 0,
  RunCount: 1,
  ArenaUsed: 2,
  EndpointCount: 3,
  PadLimit: 4,
  /** After a fill: 1 if it stopped for want of room and more may wait, 0 if the source was empty. */
  More: 5,
  /** After a send: runs for endpoints of the other address family, which this socket left alone. */
  OtherFamily: 6,
} as const;
export const HEADER_CELLS = 16;

/** Bytes kept free before each packet that a TUN read places: the 16-byte data header goes there. */
export const HEADROOM_BYTES = 16;
export const TAG_BYTES = 16;
export const PAD_TO_BYTES = 16;

/** What stands in a run's slots. */
export const RunKind = {
  Malformed: 0,
  Initiation: 1,
  Response: 2,
  CookieReply: 3,
  Data: 4,
  Raw: 5,
} as const;

export const NO_KEY = -1;
export const NO_ENDPOINT = -1;

/** Byte offsets inside one endpoint record (64 bytes). */
export const EndpointField = {
  Family: 0, // u16, AF_INET 2 or AF_INET6 10, 0: unset
  Port: 2, // u16, network byte order
  ScopeId: 4, // u32
  Address: 8, // 16 bytes
  SourceIfindex: 24, // u32
  Source: 32, // 16 bytes
  GsoRefusedUntilMs: 48, // u32
} as const;
export const ENDPOINT_BYTES = 64;

export interface PacketBatchSize {
  /** Packet slots. */
  readonly slots: number;
  /** Run rows; at most one run a slot is ever needed. */
  readonly runs: number;
  /** Endpoint records, one a kernel message of a receive. 0 for a batch that never receives UDP. */
  readonly endpoints: number;
  /** Bytes of packet memory. */
  readonly arenaBytes: number;
}

/**
 * Parallel typed arrays over one ArrayBuffer. Slots [0, packetCount) and rows [0, runCount) are meaningful.
 * Whoever fills a batch overwrites it; nothing in it outlives the next fill.
 */
export class PacketBatch {
  readonly size: PacketBatchSize;
  readonly buffer: ArrayBuffer;
  readonly header: Int32Array;
  readonly packetCounter: Float64Array;
  readonly runCounter: Float64Array;
  readonly packetOffset: Int32Array;
  readonly packetLength: Int32Array;
  readonly packetStatus: Int32Array;
  readonly runFirst: Int32Array;
  readonly runCount: Int32Array;
  readonly runKind: Int32Array;
  readonly runReceiver: Uint32Array;
  readonly runKey: Int32Array;
  readonly runEndpoint: Int32Array;
  readonly runTos: Int32Array;
  /** Endpoint records, {@link ENDPOINT_BYTES} each. */
  readonly endpoints: Uint8Array;
  /** Packet memory; packetOffset counts from its start. */
  readonly arena: Uint8Array;
  /** What the addon knows the batch by; its own affair. -1: it has not seen it yet. */
  nativeHandle = -1;

  constructor(size: PacketBatchSize) {
    this.size = size;
    const { slots, runs, endpoints, arenaBytes } = size;
    let at = HEADER_CELLS * 4;
    const take = (bytes: number): number => {
      const start = at;
      at += bytes;
      return start;
    };
    const align64 = (): void => {
      at = Math.ceil(at / 64) * 64;
    };
    const f64 = [take(slots * 8), take(runs * 8)] as const;
    const packetColumns = [take(slots * 4), take(slots * 4), take(slots * 4)] as const;
    const runColumns = Array.from({ length: 7 }, () => take(runs * 4));
    align64();
    const endpointsAt = take(endpoints * ENDPOINT_BYTES);
    align64();
    const arenaAt = take(arenaBytes);
    const buffer = new ArrayBuffer(at);
    this.buffer = buffer;
    this.header = new Int32Array(buffer, 0, HEADER_CELLS);
    this.packetCounter = new Float64Array(buffer, f64[0], slots);
    this.runCounter = new Float64Array(buffer, f64[1], runs);
    this.packetOffset = new Int32Array(buffer, packetColumns[0], slots);
    this.packetLength = new Int32Array(buffer, packetColumns[1], slots);
    this.packetStatus = new Int32Array(buffer, packetColumns[2], slots);
    this.runFirst = new Int32Array(buffer, runColumns[0], runs);
    this.runCount = new Int32Array(buffer, runColumns[1], runs);
    this.runKind = new Int32Array(buffer, runColumns[2], runs);
    this.runReceiver = new Uint32Array(buffer, runColumns[3], runs);
    this.runKey = new Int32Array(buffer, runColumns[4], runs);
    this.runEndpoint = new Int32Array(buffer, runColumns[5], runs);
    this.runTos = new Int32Array(buffer, runColumns[6], runs);
    this.endpoints = new Uint8Array(buffer, endpointsAt, endpoints * ENDPOINT_BYTES);
    this.arena = new Uint8Array(buffer, arenaAt, arenaBytes);
  }

  /** Empties the batch. Allocates nothing. */
  clear(): void {
    this.header[HeaderCell.PacketCount] = 0;
    this.header[HeaderCell.RunCount] = 0;
    this.header[HeaderCell.ArenaUsed] = 0;
    this.header[HeaderCell.EndpointCount] = 0;
  }
}
