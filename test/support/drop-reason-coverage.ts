// Which test injects which drop reason. A reason that nobody can make happen is a row that lies.

import { dropReasonNames } from "../../src/core/drop-reason.js";

/** Injected into a real kernel, or into what native code counts: test/io/kernel-counters.test.ts. */
export const injectedIntoKernel = [
  "socket_overflow",
  "datagram_truncated",
  "batch_full",
  "tun_queue_full",
  "tun_malformed",
  "tun_too_large",
] as const;

/** All others: test/sim/drop-reasons.test.ts. */
export const injectedIntoSimulation: readonly string[] = dropReasonNames.filter(
  (name) => name !== "none" && !(injectedIntoKernel as readonly string[]).includes(name),
);
