// A `set` as text, for the client's side.

import { formatEndpoint } from "../config/endpoint.js";
import { formatHexKey } from "../config/key.js";
import { formatPrefix } from "../config/prefix.js";
import type { DeviceUpdate, PeerUpdate } from "../core/device/update.js";

/** Yields the lines of a whole `set` operation, its blank line included. Throws nothing. */
export function* formatUpdate(update: DeviceUpdate): Generator<string, void, void> {
  yield "set=1\n";
  if (update.privateKey !== undefined) {
    yield `private_key=${formatHexKey(update.privateKey)}\n`;
  }
  if (update.listenPort !== undefined) {
    yield `listen_port=${update.listenPort}\n`;
  }
  if (update.fwmark !== undefined) {
    yield `fwmark=${update.fwmark}\n`;
  }
  if (update.replacePeers) {
    yield "replace_peers=true\n";
  }
  for (const peer of update.peers) {
    yield* formatPeer(peer);
  }
  yield "\n";
}

function* formatPeer(peer: PeerUpdate): Generator<string, void, void> {
  yield `public_key=${formatHexKey(peer.publicKey)}\n`;
  if (peer.remove) {
    yield "remove=true\n";
  }
  if (peer.updateOnly) {
    yield "update_only=true\n";
  }
  if (peer.presharedKey !== undefined) {
    yield `preshared_key=${formatHexKey(peer.presharedKey)}\n`;
  }
  if (peer.endpoint !== undefined) {
    yield `endpoint=${formatEndpoint(peer.endpoint)}\n`;
  }
  if (peer.persistentKeepaliveS !== undefined) {
    yield `persistent_keepalive_interval=${peer.persistentKeepaliveS}\n`;
  }
  if (peer.replaceAllowedIps) {
    yield "replace_allowed_ips=true\n";
  }
  for (const { prefix, remove } of peer.allowedIps) {
    yield `allowed_ip=${remove ? "-" : ""}${formatPrefix(prefix)}\n`;
  }
}
