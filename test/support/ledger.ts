// What a daemon tells of itself: its status document, and the ledger in it.
import { expect } from "vitest";
import { askControl } from "../../src/daemon/control-client.js";
import type { StatusDocument } from "../../src/metrics/status.js";
import { type Gateway, INTERFACE } from "./gateway.js";

export async function status({ host }: Gateway): Promise<StatusDocument> {
  const { text } = await askControl(INTERFACE, "GET", "/status.json", host.path("/run/longhaul"));
  return JSON.parse(text) as StatusDocument;
}

/** @returns packets of one row of a ledger's drops */
export const dropped = (drops: readonly { reason: string; packets: number }[], reason: string): number =>
  drops.find((one) => one.reason === reason)?.packets ?? 0;

/** Asserts the conservation law at each of them. */
export async function everythingIsAccountedFor(...gateways: readonly Gateway[]): Promise<void> {
  for (const gateway of gateways) {
    const { ledger } = await status(gateway);
    expect([ledger.inbound.unaccounted, ledger.outbound.unaccounted]).toEqual([0, 0]);
  }
}
