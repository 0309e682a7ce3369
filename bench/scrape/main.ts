// `npm run bench:scrape`: what it costs a full tunnel that /metrics is read every second at both ends. One pair of daemons, one
// stream, in turn with and without scrapers, which take part in the same two processors: an upper bound.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Host } from "../../src/demo/lab.js";
import { type Link, waitUntilQuiet, waitUntilUp } from "../macro/link.js";
import { requirePrograms } from "../macro/programs.js";
import { iperf } from "../macro/traffic.js";
import { longhaulTunnel } from "../macro/wireguard.js";
import { parseCount } from "../support/arguments.js";
import { Cleanup } from "../support/cleanup.js";
import { Progress } from "../support/progress.js";
import { describeSetting, formatMachine, saveResult } from "../support/result.js";
import { requireBuild, root } from "../support/root.js";
import { median, ratios, spread } from "../support/statistics.js";
import { formatNumber, formatTable } from "../support/table.js";

export const SCRAPE_USAGE = `usage: npm run bench:scrape -- [OPTION]…
  --rounds N      rounds: a load with scrapers, and one without (15)
  --seconds S     length of one load (4)
  --out FILE      where the JSON goes (bench/results/DATE-COMMIT-scrape.json)
`;

/** Of the rate without: what must be left. */
const LEAST_SHARE = 0.98;
const PORT = 9_586;
const EVERY_MS = 1_000;
/** Around one load: iperf3's own start and end, quiet. */
const AROUND_LOAD_S = 1.2;

/** Reads as Prometheus does: one connection that stays open. A line a scrape: bytes, and how long it took. */
const SCRAPER = `
const { Agent, get } = require("node:http");
const agent = new Agent({ keepAlive: true });
const headers = { accept: "application/openmetrics-text;version=1.0.0" };
const scrape = () => {
  const startedMs = performance.now();
  get({ host: "127.0.0.1", port: ${PORT}, path: "/metrics", agent, headers }, (response) => {
    let bytes = 0;
    response.on("data", (piece) => { bytes += piece.length; });
    response.on("end", () => console.log(response.statusCode, bytes, performance.now() - startedMs));
  }).on("error", (error) => console.log(error.code, 0, 0));
};
console.log("ready");
process.stdin.on("data", () => { scrape(); setInterval(scrape, ${EVERY_MS}); });`;

interface Sample {
  readonly round: number;
  readonly scraped: boolean;
  readonly mbps: number;
  /** Of both ends. */
  readonly scrapes: ReadonlyArray<{ readonly bytes: number; readonly ms: number }>;
}

/** Runs the bench. @returns exit status: 0, or 1 when scrapes cost more than they may. Errors: UsageError. */
export async function scrape(words: string[]): Promise<number> {
  const { values } = parseArgs({
    args: words,
    options: {
      rounds: { type: "string", default: "15" },
      seconds: { type: "string", default: "4" },
      out: { type: "string" },
    },
  });
  const rounds = parseCount("--rounds", values.rounds);
  const seconds = parseCount("--seconds", values.seconds);
  requireBuild(root);
  await requirePrograms("wg");
  const progress = new Progress(2 * rounds * (seconds + AROUND_LOAD_S));
  const cleanup = new Cleanup(() => progress.end(true));
  return cleanup.around(async () => {
    const directory = await mkdtemp(join(tmpdir(), "longhaul-bench-"));
    cleanup.addDirectory(directory);
    const tunnel = await longhaulTunnel("longhaul", root, ["--metrics", `127.0.0.1:${PORT}`], directory);
    const why = await tunnel.missing();
    if (why !== undefined) throw new Error(why);
    const link = await tunnel.start((lab) => cleanup.add(() => lab.close()));
    await waitUntilUp(link);
    await iperf(link, { seconds: 2 }); // code compiled, the route's TCP metrics learnt
    const samples: Sample[] = [];
    for (let round = 1; round <= rounds; round++) {
      for (const scraped of round % 2 === 0 ? [true, false] : [false, true]) {
        const what = `round ${round} of ${rounds}: ${scraped ? "with scrapers" : "without"}`;
        const measured = await progress.step(what, seconds + AROUND_LOAD_S, () => measure(link, seconds, scraped));
        samples.push({ round, scraped, ...measured });
      }
    }
    progress.end();
    return publish(values.out, seconds, samples);
  });
}

async function measure(link: Link, seconds: number, scraped: boolean): Promise<Pick<Sample, "mbps" | "scrapes">> {
  await waitUntilQuiet(link);
  const scrapers = scraped ? [await startScraper(link.left), await startScraper(link.right)] : [];
  try {
    for (const scraper of scrapers) scraper.child.stdin!.write("go\n");
    const { bitsPerSecond } = await iperf(link, { seconds });
    return { mbps: bitsPerSecond / 1e6, scrapes: scrapers.flatMap(({ stdout }) => readScrapes(stdout)) };
  } finally {
    for (const scraper of scrapers) await scraper.stop("SIGKILL");
  }
}

/** Its own start is no part of what is measured. */
async function startScraper(host: Host): Promise<ReturnType<Host["start"]>> {
  const scraper = host.start([process.execPath, "-e", SCRAPER]);
  await scraper.waitForOutput(/^ready$/m);
  return scraper;
}

/** Errors: throws when a scrape was no scrape. */
function readScrapes(text: string): Sample["scrapes"] {
  const lines = text.trim().split("\n").slice(1);
  return lines.map((line) => {
    const [status, bytes, ms] = line.split(" ");
    if (status !== "200" || Number(bytes) < 1_000) throw new Error(`a scrape failed: ${line}`);
    return { bytes: Number(bytes), ms: Number(ms) };
  });
}

async function publish(out: string | undefined, seconds: number, samples: readonly Sample[]): Promise<number> {
  const setting = await describeSetting();
  const rates = (scraped: boolean): number[] =>
    samples.filter((sample) => sample.scraped === scraped).map(({ mbps }) => mbps);
  const shares = ratios(rates(true), rates(false));
  const share = median(shares);
  const holds = share !== undefined && share >= LEAST_SHARE;
  const scrapes = samples.flatMap((sample) => sample.scrapes);
  const path = await saveResult("scrape", out, setting, { seconds, share, samples });
  const row = (what: string, values: readonly number[]): string[] => {
    const [least, most] = spread(values) ?? [];
    return [what, ...[median(values), least, most].map(formatNumber)];
  };
  const lines = [
    formatMachine(setting),
    `longhaul: ${setting.commit.hash}${setting.commit.dirty ? " and changes" : ""}`,
    `${shares.length} rounds, each ${seconds} s of one TCP stream with scrapers and ${seconds} s without; shares are taken inside a round.`,
    "",
    formatTable([
      ["", "median", "least", "most"],
      row("without scrapes, Mbit/s", rates(false)),
      row("scraped every second at both ends, Mbit/s", rates(true)),
      row(
        "one scrape under load, ms",
        scrapes.map(({ ms }) => ms),
      ),
      row(
        "share of the rate without, %",
        shares.map((one) => 100 * one),
      ),
    ]),
    "",
    `${scrapes.length} scrapes. ${holds ? "✓" : "✗"} share of the rate without, median: ${(100 * (share ?? 0)).toFixed(2)} %; must: ≥ ${100 * LEAST_SHARE} %`,
    `All samples: ${path}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return holds ? 0 : 1;
}
