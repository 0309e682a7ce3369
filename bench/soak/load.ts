// The traffic of a soak: bounded, mixed, and without end. Each kind runs in pieces, so that a failed one costs a piece and is counted.
import { setTimeout as sleep } from "node:timers/promises";
import type { Program } from "../../src/demo/command.js";
import { HUB_ADDRESS, type SoakSite } from "./site.js";

const TCP_MBPS = 20;
const UDP_MBPS = 10;
const PIECE_S = 30;
const PATIENCE_MS = 30_000;

/** One piece of traffic that is over. */
export interface Piece {
  readonly kind: "tcp" | "udp" | "ping";
  readonly endedS: number;
  /** Of what was asked for: rate that arrived, or pings answered; 0–1. */
  readonly share: number;
  readonly error?: string;
}

export class Load {
  readonly pieces: Piece[] = [];
  readonly #site: SoakSite;
  readonly #servers: Program[];
  readonly #pieceS: number;
  readonly #nowS: () => number;
  #isOver = false;
  #loops: Promise<unknown> = Promise.resolve();

  /** @param runS  length of the run: pieces are shorter in a short one */
  constructor(site: SoakSite, runS: number, nowS: () => number) {
    this.#site = site;
    this.#pieceS = Math.max(2, Math.min(PIECE_S, Math.floor(runS / 4)));
    this.#nowS = nowS;
    this.#servers = ["5201", "5202"].map((port) => site.hub.start(["iperf3", "-s", "-p", port], { input: "" }));
  }

  start(): void {
    this.#loops = Promise.all([
      this.#repeat("tcp", () => this.#iperf("a", "5201", ["-b", `${TCP_MBPS}M`], TCP_MBPS)),
      this.#repeat("udp", () => this.#iperf("b", "5202", ["-u", "-b", `${UDP_MBPS}M`, "-l", "1200"], UDP_MBPS)),
      this.#repeat("ping", () => this.#ping()),
    ]);
  }

  /** Lets the pieces under way end. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#loops;
    for (const server of this.#servers) await server.stop("SIGKILL");
  }

  async #repeat(kind: Piece["kind"], piece: () => Promise<number>): Promise<void> {
    while (!this.#isOver) {
      try {
        const share = await piece();
        this.pieces.push({ kind, endedS: this.#nowS(), share });
      } catch (error) {
        const text = (error instanceof Error ? error.message : String(error)).slice(0, 300);
        this.pieces.push({ kind, endedS: this.#nowS(), share: 0, error: text });
        await sleep(1_000);
      }
    }
  }

  async #iperf(from: "a" | "b", port: string, words: readonly string[], askedMbps: number): Promise<number> {
    const { host } = this.#site.spokes[from];
    const argv = ["iperf3", "-J", "-c", HUB_ADDRESS, "-p", port, "-t", String(this.#pieceS), ...words];
    const { stdout } = await host.try(argv, { timeoutMs: this.#pieceS * 1_000 + PATIENCE_MS });
    type Sum = { bits_per_second?: number; lost_percent?: number };
    const { end, error } = JSON.parse(stdout) as { end: { sum?: Sum; sum_received?: Sum }; error?: string };
    if (error !== undefined) throw new Error(error);
    if (end.sum?.lost_percent !== undefined) return 1 - end.sum.lost_percent / 100;
    return Math.min(1, (end.sum_received?.bits_per_second ?? 0) / 1e6 / askedMbps);
  }

  /** From A by way of the hub to B. */
  async #ping(): Promise<number> {
    const count = this.#pieceS * 5;
    const words = ["ping", "-n", "-q", "-i", "0.2", "-c", String(count), "-W", "2", "10.9.0.3"];
    const { stdout } = await this.#site.spokes.a.host.try(words, { timeoutMs: count * 200 + PATIENCE_MS });
    const received = /(\d+) received/.exec(stdout)?.[1];
    if (received === undefined) throw new Error(`ping said ${stdout.slice(0, 100)}`);
    return Number(received) / count;
  }
}
