import { expect, test } from "vitest";
import { PeerBytes } from "../../src/core/device/peer.js";
import type { Gateway } from "../../src/daemon/gateway.js";
import { StatusLine } from "../../src/daemon/status-line.js";

type Shown = Pick<Gateway, "device" | "listenPort">;

const peer = (received: number, sent: number, lastHandshakeWallMs: number): object => {
  const bytes: number[] = [];
  bytes[PeerBytes.Received] = received;
  bytes[PeerBytes.Sent] = sent;
  return { bytes, lastHandshakeWallMs };
};
const gateway = (...peers: object[]): Shown =>
  ({ listenPort: 51_820, device: { peers: () => peers } }) as unknown as Shown;

test("peers that have a keypair, and rates since the last line", () => {
  const line = new StatusLine();
  expect(line.of(gateway(peer(10, 10, 0), peer(5, 5, Date.now())), 1_000)).toBe(
    "1 of 2 peers connected, port 51820; in 0 bit/s, out 0 bit/s",
  );
  expect(line.of(gateway(peer(10, 10, 0), peer(5 + 625_000, 5 + 7_777, Date.now())), 6_000)).toBe(
    "1 of 2 peers connected, port 51820; in 1 Mbit/s, out 12 kbit/s",
  );
  expect(line.of(gateway(peer(10, 10, Date.now())), 11_000)).toBe(
    "1 of 1 peer connected, port 51820; in 0 bit/s, out 0 bit/s",
  );
});
