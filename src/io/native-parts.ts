// What a gateway is made of that only native code can give: the TUN device, the AEAD, memory for what the core sends.

import {
  type Aead,
  type AeadBackendName,
  createAead,
  disableDumps,
  HeaderCell,
  openTun,
  PacketBatch,
  type Tun,
} from "tun-tap-ts";
import { OUTBOX_SIZE } from "./event-loop.js";

/** Flows that fill a queue delay the one in eight others that share it. */
const TUN_QUEUES = 8;

/** The caller closes `tun` and `aead`. */
export interface NativeParts {
  readonly tun: Tun;
  readonly aead: Aead;
  readonly outbox: PacketBatch;
}

export interface NativePartsOptions {
  readonly interfaceName: string;
  /** Open TUN descriptors of one interface, one a queue, to use instead of creating it. Empty: it is created. */
  readonly tunFds: readonly number[];
  readonly aead: AeadBackendName;
  readonly keySlots: number;
  /** False: no segmentation offload. */
  readonly offloads: boolean;
  /** MTU until the interface says otherwise. */
  readonly mtu: number;
}

/** Errors: SystemCallError, AeadUnavailableError; nothing stays open then. */
export function openNativeParts(options: NativePartsOptions): NativeParts {
  const { interfaceName, tunFds, offloads, mtu } = options;
  const aead = createAead({ backend: options.aead, keySlots: options.keySlots });
  try {
    const tun = openTun({
      ...(tunFds.length === 0 ? { name: interfaceName } : { fds: tunFds }),
      vnetHeader: offloads,
      queues: TUN_QUEUES,
    });
    const outbox = new PacketBatch(OUTBOX_SIZE);
    outbox.header[HeaderCell.PadLimit] = mtu;
    return { tun, aead, outbox };
  } catch (error) {
    aead.close();
    throw error;
  }
}

/**
 * Keys live in this process: it must leave no core dump, and the signal at which Node opens its debugger, to everybody on this
 * host, must not open it. Errors: SystemCallError.
 */
export function forbidCoreDumps(): void {
  disableDumps();
  process.on("SIGUSR1", () => {});
}
