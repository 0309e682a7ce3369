// Why the kernel, or the cipher before it, did not take a datagram: from a packet's status to a drop reason. Cold.

import { DropReason } from "../drop-reason.js";
import { type PacketBatch, SEAL_OVERHEAD_BYTES } from "../transport/packet-batch.js";

const MESSAGE_TYPE_DATA = 4;

/** By errno on Linux. */
const reasons: ReadonlyMap<number, DropReason> = new Map<number, DropReason>([
  [1, DropReason.SendForbidden], // EPERM
  [9, DropReason.SendNoSocket], // EBADF
  [11, DropReason.SendWouldBlock], // EAGAIN
  [13, DropReason.SendForbidden], // EACCES
  [19, DropReason.SendUnreachable], // ENODEV
  [90, DropReason.SendTooLarge], // EMSGSIZE
  [97, DropReason.SendNoSocket], // EAFNOSUPPORT
  [99, DropReason.SendUnreachable], // EADDRNOTAVAIL
  [100, DropReason.SendUnreachable], // ENETDOWN
  [101, DropReason.SendUnreachable], // ENETUNREACH
  [105, DropReason.SendNoBuffers], // ENOBUFS
  [111, DropReason.SendUnreachable], // ECONNREFUSED
  [112, DropReason.SendUnreachable], // EHOSTDOWN
  [113, DropReason.SendUnreachable], // EHOSTUNREACH
  [126, DropReason.KeyMissing], // ENOKEY, from the cipher
]);

/** @param status  packetStatus of a refused packet, -errno */
export function sendRefusalReason(status: number): DropReason {
  return reasons.get(-status) ?? DropReason.SendFailed;
}

/** Whether a slot of a run with a key holds a keepalive, sealed or not. A sealed one begins with its message type. */
export function isKeepalive(batch: PacketBatch, slot: number): boolean {
  const length = batch.packetLength[slot];
  if (length === 0) return true;
  return length === SEAL_OVERHEAD_BYTES && batch.arena[batch.packetOffset[slot]] === MESSAGE_TYPE_DATA;
}
