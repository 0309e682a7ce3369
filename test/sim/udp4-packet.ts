// A datagram as the kernel hands it to an interface: what a route into the tunnel brings back.
import { ipv4Packet, parseAddress, type SimNode } from "./world.js";

const HEADERS_BYTES = 28;

/** @returns an IPv4 packet with the datagram from one node's address to the other's; no checksums */
export function udp4Packet(from: SimNode, to: SimNode, datagram: Uint8Array): Uint8Array {
  const [source, target] = [parseAddress(from.address), parseAddress(to.address)];
  const packet = new Uint8Array(HEADERS_BYTES + datagram.length);
  packet.set(ipv4Packet([...source.bytes].join("."), [...target.bytes].join("."), ""));
  const view = new DataView(packet.buffer);
  view.setUint16(2, packet.length);
  view.setUint8(9, 17);
  view.setUint16(20, source.port);
  view.setUint16(22, target.port);
  view.setUint16(24, 8 + datagram.length);
  packet.set(datagram, HEADERS_BYTES);
  return packet;
}
