// What a device asks of whoever keeps sent timestamps across restarts. The core knows no files; without a keeper, timestamps only
// grow while the device lives.
import type { Timestamp } from "./tai64n.js";

export interface TimestampKeeper {
  /** The device's key from now on. @returns what was kept for it: nothing at or below may be sent */
  keyChanged(publicKey: Uint8Array): Timestamp | undefined;
  /** @param wallMs  as the clock says. @returns wall time as far as it is believed */
  believe(wallMs: number): number;
  /** Called before `timestamp` leaves; when it returns, no restart can send one at or below it. Throws nothing. */
  reserve(timestamp: Readonly<Timestamp>): void;
  /** A peer's initiation was authenticated. @param timestamp  of the peer's clock */
  witness(timestamp: Readonly<Timestamp>): void;
}
