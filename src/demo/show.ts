// What `wg show` prints, from a device's own answer: for machines without wireguard-tools.
import { formatEndpoint } from "../config/endpoint.js";
import { formatBase64Key, isZeroKey } from "../config/key.js";
import { formatPrefix } from "../config/prefix.js";
import type { DeviceSnapshot, PeerSnapshot } from "../core/device/update.js";

/**
 * @param publicKey  of the device, in base64: the answer holds only the private one
 * @param nowMs      wall time, ms since 1970
 * @returns lines without the last newline. No secret is in them.
 */
export function formatShow(name: string, publicKey: string, device: DeviceSnapshot, nowMs: number): string {
  const lines = [
    `interface: ${name}`,
    `  public key: ${publicKey}`,
    "  private key: (hidden)",
    `  listening port: ${device.listenPort}`,
  ];
  if (device.fwmark !== 0) lines.push(`  fwmark: 0x${device.fwmark.toString(16)}`);
  const latestFirst = [...device.peers].sort((a, b) => b.lastHandshakeMs - a.lastHandshakeMs);
  for (const peer of latestFirst) lines.push("", ...formatPeer(peer, nowMs));
  return lines.join("\n");
}

function formatPeer(peer: PeerSnapshot, nowMs: number): string[] {
  const lines = [`peer: ${formatBase64Key(peer.publicKey)}`];
  if (!isZeroKey(peer.presharedKey)) lines.push("  preshared key: (hidden)");
  if (peer.endpoint !== undefined) lines.push(`  endpoint: ${formatEndpoint(peer.endpoint)}`);
  lines.push(`  allowed ips: ${peer.allowedIps.map(formatPrefix).join(", ") || "(none)"}`);
  if (peer.lastHandshakeMs !== 0)
    lines.push(`  latest handshake: ${formatAge(wholeSeconds(nowMs) - wholeSeconds(peer.lastHandshakeMs))}`);
  if (peer.receivedBytes + peer.sentBytes > 0) {
    lines.push(`  transfer: ${formatBytes(peer.receivedBytes)} received, ${formatBytes(peer.sentBytes)} sent`);
  }
  if (peer.persistentKeepaliveS !== 0) lines.push(`  persistent keepalive: every ${peer.persistentKeepaliveS} seconds`);
  return lines;
}

/** wg(8) takes whole seconds from whole seconds. */
function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1_000);
}

function formatAge(seconds: number): string {
  if (seconds <= 0) return "Now";
  const parts = [
    [Math.floor(seconds / 3_600), "hour"],
    [Math.floor(seconds / 60) % 60, "minute"],
    [seconds % 60, "second"],
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`);
  return `${said.join(", ")} ago`;
}

/** As 1.50 MiB. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = bytes / 1_024;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${value.toFixed(2)} ${units[unit]}`;
}
