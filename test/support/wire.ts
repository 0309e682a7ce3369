// The network between two gateways as a relay that can lose, double, delay, corrupt, reorder, record and replay
// datagrams, and change the address or port that they come from.
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Program } from "../../src/demo/command.js";
import { type Host, Lab } from "../../src/demo/lab.js";
import { Gateway } from "./gateway.js";
import { endpoint, type PairOptions, peerOf } from "./site.js";

const PROCESS = fileURLToPath(new URL("./wire-process.mjs", import.meta.url));

export type Side = "left" | "right";

/** What happens to the datagrams from one side. `n` means each n-th of them, from the moment the rules are set. */
export interface WireRules {
  /** Message type that the rules are for; others pass. */
  readonly only?: number;
  readonly dropEvery?: number;
  readonly duplicateEvery?: number;
  readonly corruptEvery?: number;
  /** Index of the byte to corrupt, from the end if negative; −1 if absent. */
  readonly corruptByte?: number;
  readonly delayMs?: number;
  /** Collects so many datagrams and sends the last first. */
  readonly reorder?: number;
}

export interface RecordedDatagram {
  readonly from: Side;
  readonly bytes: Buffer;
}

/** WireGuard's message types, the first byte of a datagram. */
export const MessageType = { Initiation: 1, Response: 2, CookieReply: 3, Data: 4 } as const;

interface Face {
  readonly address: string;
  readonly port: number;
  readonly gateway: { readonly address: string; readonly port: number };
}

/** A running relay. */
export class Wire {
  readonly #program: Program;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(program: Program) {
    this.#program = program;
  }

  /** Starts the relay on `host`, with one face to each gateway. */
  static async start(host: Host, faces: { left: Face; right: Face }): Promise<Wire> {
    const program = host.start([process.execPath, PROCESS, JSON.stringify(faces)]);
    await program.waitForOutput(/"ready"/);
    program.stdout = "";
    return new Wire(program);
  }

  /** Replaces the rules for what comes from `from`; no rules: everything passes. */
  async rules(from: Side, rules: WireRules = {}): Promise<void> {
    await this.#ask({ verb: "rules", from, rules });
  }

  /** From now on the gateway on `side` sees its peer at another port, and address if given. */
  async rebind(side: Side, port: number, address?: string): Promise<void> {
    await this.#ask({ verb: "rebind", side, port, address });
  }

  /** Everything that has come since the start or the last forget(). */
  async recorded(from?: Side, type?: number): Promise<RecordedDatagram[]> {
    const all = (await this.#ask({ verb: "recorded" })) as Array<{ from: Side; hex: string }>;
    return all
      .map((one) => ({ from: one.from, bytes: Buffer.from(one.hex, "hex") }))
      .filter((one) => (from === undefined || one.from === from) && (type === undefined || one.bytes[0] === type));
  }

  async forget(): Promise<void> {
    await this.#ask({ verb: "forget" });
  }

  /** Sends again what was recorded from `from`. @returns how many datagrams. */
  async replay(from: Side, type: number, times = 1): Promise<number> {
    const count = (await this.#ask({ verb: "replay", from, type, times })) as number;
    await sleep(SETTLE_MS);
    return count;
  }

  /** Sends datagrams as if they came from `from`. */
  async inject(from: Side, datagrams: readonly Buffer[]): Promise<void> {
    await this.#ask({ verb: "inject", from, datagrams: datagrams.map((bytes) => bytes.toString("hex")) });
    await sleep(SETTLE_MS);
  }

  async #ask(command: object): Promise<unknown> {
    const asked = this.#last.then(async () => {
      this.#program.stdout = "";
      this.#program.child.stdin!.write(`${JSON.stringify(command)}\n`);
      const [line] = await this.#program.waitForOutput(/^.*\n/);
      return (JSON.parse(line) as { answer: unknown }).answer;
    });
    this.#last = asked.catch(() => {});
    return asked;
  }
}

/** Time for a daemon to have taken in what was sent to it. */
const SETTLE_MS = 200;

export interface WiredPair {
  readonly lab: Lab;
  readonly left: Gateway;
  readonly right: Gateway;
  readonly wire: Wire;
  readonly middle: Host;
}

/** Port of the relay that stands for the other gateway. */
export const WIRE_PORT = 4_000;
/** Addresses of the relay: each gateway sees its peer there. The spare ones are for roaming. */
export const wireAddresses = {
  left: "192.0.2.254",
  right: "198.51.100.254",
  spareLeft: "192.0.2.253",
  spareRight: "198.51.100.253",
} as const;

/** Two gateways that reach each other only through a relay; each is the other's peer. */
export async function startWiredPair(options: PairOptions): Promise<WiredPair> {
  const lab = new Lab();
  try {
    const [leftHost, middle, rightHost] = [
      await lab.addHost("left"),
      await lab.addHost("middle"),
      await lab.addHost("right"),
    ];
    const { left: toLeft, right: toRight, spareLeft, spareRight } = wireAddresses;
    await lab.connect(
      { host: leftHost, name: "eth0", addresses: ["192.0.2.1/24"] },
      { host: middle, name: "left", addresses: [`${toLeft}/24`, `${spareLeft}/24`] },
    );
    await lab.connect(
      { host: rightHost, name: "eth0", addresses: ["198.51.100.1/24"] },
      { host: middle, name: "right", addresses: [`${toRight}/24`, `${spareRight}/24`] },
    );
    const start = (host: Host, number: 1 | 2): Promise<Gateway> =>
      Gateway.start(host, {
        program: options.programs[number - 1]!,
        addresses: [`10.9.0.${number}/24`, `fd09::${number}/64`],
        mtu: options.mtu ?? 1_420,
      });
    const [left, right] = [await start(leftHost, 1), await start(rightHost, 2)];
    const wire = await Wire.start(middle, {
      left: { address: toLeft, port: WIRE_PORT, gateway: { address: "192.0.2.1", port: left.listenPort } },
      right: { address: toRight, port: WIRE_PORT, gateway: { address: "198.51.100.1", port: right.listenPort } },
    });
    const secret = options.presharedKey === undefined ? {} : { presharedKey: options.presharedKey };
    await left.addPeer({ ...peerOf(right, endpoint(toLeft, WIRE_PORT)), ...secret });
    await right.addPeer({ ...peerOf(left, endpoint(toRight, WIRE_PORT)), ...secret });
    return { lab, left, right, wire, middle };
  } catch (error) {
    await lab.close();
    throw error;
  }
}
