// Makes a gateway: opens what only native code can give, and takes it back when the rest fails.

import { type NativeParts, openNativeParts } from "../io/native-parts.js";
import { createNativePrimitives } from "../io/native-primitives.js";
import { DEFAULT_MTU, Gateway, type GatewayOptions, PEERS_MAX } from "./gateway.js";
import type { DaemonLog } from "./log.js";

/** Three keypairs a peer, two keys each. */
const KEY_SLOTS = PEERS_MAX * 6;
const TX_QUEUE_PACKETS = 1_000;

/** Makes the interface and everything behind it. Errors: SystemCallError, AeadUnavailableError. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const primitives = await createNativePrimitives();
  const { interfaceName, tunFd, aead, offloads } = options;
  const tunFds = options.tunFds ?? (tunFd === undefined ? [] : [tunFd]);
  const parts = openNativeParts({
    interfaceName,
    tunFds,
    aead,
    offloads,
    keySlots: KEY_SLOTS,
    mtu: DEFAULT_MTU,
  });
  try {
    if (tunFds.length === 0) {
      parts.tun.setMtu(DEFAULT_MTU);
      lengthenQueue(parts.tun, options.log);
    }
    return new Gateway(options, primitives, parts);
  } catch (error) {
    parts.aead.close();
    parts.tun.close();
    throw error;
  }
}

/** Root of a user namespace may do everything to its interface but this. */
function lengthenQueue(tun: NativeParts["tun"], log: DaemonLog): void {
  try {
    tun.setTxQueueLength(TX_QUEUE_PACKETS);
  } catch (error) {
    log.info({ err: error }, "the interface keeps the kernel's queue length: a burst may overflow it");
  }
}
