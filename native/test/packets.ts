// Plain IPv4 and UDP packets for tests.

/** Swaps source and destination of an IPv4 UDP packet in place; no checksum changes by that. */
export function turnRound(packet: Uint8Array): void {
  for (let i = 0; i < 4; i++) swap(packet, 12 + i, 16 + i);
  const udp = ((packet[0] as number) & 15) * 4;
  for (let i = 0; i < 2; i++) swap(packet, udp + i, udp + 2 + i);
}

function swap(bytes: Uint8Array, a: number, b: number): void {
  const kept = bytes[a] as number;
  bytes[a] = bytes[b] as number;
  bytes[b] = kept;
}

/** Source and destination of an IPv4 packet, as text. */
export function addresses(packet: Uint8Array): string {
  return `${packet.subarray(12, 16).join(".")} > ${packet.subarray(16, 20).join(".")}`;
}
