// Applies a difference to a running device in slices, so that no packet waits for a long list of peers, and puts things back when a part
// of it fails.

import type { GatewayConfig } from "../config/gateway-config.js";
import type { DeviceSnapshot, DeviceUpdate, PeerSnapshot } from "../core/device/update.js";
import { inSlices, Slices } from "../system/in-slices.js";
import { deviceDiff } from "./config-diff.js";
import type { Gateway } from "./gateway.js";

/** Peers a slice of a snapshot: some hundred microseconds. */
const SLICE_PEERS = 64;

/** What the device has now. Its keys are copies: {@link wipeDevice} them. */
export async function snapshotDevice(gateway: Gateway): Promise<DeviceSnapshot> {
  const peers: PeerSnapshot[] = [];
  const slices = new Slices();
  for (const peer of [...gateway.device.peers()]) {
    peers.push(gateway.snapshotPeer(peer));
    if (peers.length % SLICE_PEERS === 0) await slices.next();
  }
  return { privateKey: gateway.privateKey(), listenPort: gateway.listenPort, fwmark: gateway.mark, peers };
}

/** Zeroes the keys of a snapshot. */
export function wipeDevice(snapshot: DeviceSnapshot): void {
  snapshot.privateKey?.fill(0);
  for (const peer of snapshot.peers) peer.presharedKey.fill(0);
}

/** Peers of an update, slice by slice. Errors: ConfigureError; some peers may be applied by then. */
export async function applyPeers(gateway: Gateway, update: DeviceUpdate): Promise<void> {
  const { privateKey, peers } = update;
  if (privateKey !== undefined) await gateway.configureInSlices({ privateKey, peers: [] });
  await inSlices(
    (function* () {
      for (const peer of peers) yield gateway.configure({ peers: [peer] });
    })(),
  );
}

/** Brings the device back to a snapshot. @param before  with its keys */
export async function restoreDevice(gateway: Gateway, before: DeviceSnapshot): Promise<void> {
  const now = await snapshotDevice(gateway);
  try {
    const next = configOf(before);
    const update = await inSlices(deviceDiff({ previous: undefined, live: now, next, mark: before.fwmark }));
    const { listenPort, fwmark } = update;
    gateway.configure({
      ...(listenPort === undefined ? {} : { listenPort }),
      ...(fwmark === undefined ? {} : { fwmark }),
      peers: [],
    });
    await applyPeers(gateway, update);
  } finally {
    wipeDevice(now);
  }
}

/** A device as if a file had said so. */
function configOf({ privateKey, listenPort, fwmark, peers }: DeviceSnapshot): GatewayConfig {
  const text = { kind: "text" } as const;
  return {
    interfaceName: "",
    interface: {
      privateKey: { bytes: privateKey ?? new Uint8Array(32), origin: text },
      addresses: [],
      listenPort,
      fwmark,
      mtu: undefined,
      dns: { servers: [], search: [] },
      table: "off",
      hooks: { preUp: [], postUp: [], preDown: [], postDown: [] },
      saveConfig: false,
    },
    peers: peers.map((peer) => ({
      publicKey: peer.publicKey,
      presharedKey: { bytes: peer.presharedKey, origin: text },
      allowedIps: peer.allowedIps,
      endpoint: peer.endpoint === undefined ? undefined : { kind: "address", address: peer.endpoint },
      persistentKeepaliveS: peer.persistentKeepaliveS,
      friendlyName: undefined,
    })),
    daemon: { metrics: undefined, logLevel: undefined, aead: undefined, stateDirectory: undefined },
  };
}
