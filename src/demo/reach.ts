// Whether one host reaches another: by ping where it is installed, else by UDP echoes of our own.
import { hasProgram } from "./command.js";
import type { Host } from "./lab.js";
import { echo } from "./transfer.js";

export interface Reach {
  readonly sent: number;
  readonly received: number;
  /** Mean round trip. */
  readonly milliseconds: number;
}

/** How hosts ask each other for an answer. */
export class Reachability {
  readonly #hasPing: boolean;

  private constructor(hasPing: boolean) {
    this.#hasPing = hasPing;
  }

  static async detect(): Promise<Reachability> {
    return new Reachability(await hasProgram("ping"));
  }

  get method(): string {
    return this.#hasPing ? "ping" : "UDP echo (ping is not installed here)";
  }

  /** Sends `count` requests from one host to an address of another. */
  ask(from: Host, to: Host, address: string, count = 3): Promise<Reach> {
    return this.#hasPing ? ping(from, address, count) : echo(from, to, address, count);
  }
}

async function ping(from: Host, address: string, count: number): Promise<Reach> {
  const result = await from.try(["ping", "-n", "-c", String(count), "-i", "0.2", "-W", "1", address]);
  const counted = result.stdout.match(/(\d+) packets transmitted, (\d+) received/);
  if (counted === null) throw new Error(`ping ${address}: ${result.stderr || result.stdout}`);
  const mean = result.stdout.match(/= [\d.]+\/([\d.]+)\//)?.[1] ?? "0";
  return { sent: Number(counted[1]), received: Number(counted[2]), milliseconds: Number(mean) };
}
