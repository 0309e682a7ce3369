// A real Prometheus scrapes two gateways for a minute while the wire between them loses datagrams, and is asked how many. What
// we ship for it is checked by its own tools.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Program, tryCommand } from "../../src/demo/command.js";
import { eventually } from "../support/gateway.js";
import { requireTools } from "../support/require-tools.js";
import {
  METRICS_PORT,
  readMetrics,
  startChatter,
  startWatchedSite,
  untilJoined,
  type WatchedSite,
} from "../support/watched-site.js";

const MONITORING = fileURLToPath(new URL("../../monitoring/", import.meta.url));
const SCRAPE_S = 2;
const TRAFFIC_MS = 60_000;
/** Of the datagrams that go to the hub, and of those that come from it. */
const DROP_EVERY = { toHub: 20, fromHub: 50 } as const;
const PROMETHEUS_PORT = 9_090;

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

interface QueryResult {
  readonly status: string;
  readonly data: { readonly result: { readonly metric: Record<string, string>; readonly value: [number, string] }[] };
}

async function promtool(words: readonly string[], input?: string): Promise<string> {
  const result = await tryCommand(["promtool", ...words], input === undefined ? {} : { input });
  const said = `${result.stdout}${result.stderr}`;
  expect(result.status, said).toBe(0);
  return said;
}

describe("what is shipped for Prometheus", requireTools(["promtool"]), () => {
  test("its rules are rules, and each fires for what it is for", async () => {
    expect(await promtool(["check", "rules", join(MONITORING, "alerts.yml")])).toContain("SUCCESS");
    expect(await promtool(["test", "rules", join(MONITORING, "alerts.test.yml")])).toContain("SUCCESS");
    expect(await promtool(["check", "config", join(MONITORING, "prometheus.yml")])).toContain("SUCCESS");
  });
});

describe("Prometheus", requireTools(["ip", "wg", "ping", "prometheus", "promtool"]), () => {
  const directory = mkdtempSync(join(tmpdir(), "longhaul-prometheus-"));
  let site: WatchedSite;
  let prometheus: Program;

  beforeAll(async () => {
    site = await startWatchedSite();
    await untilJoined(site);
    prometheus = await startPrometheus();
  });
  afterAll(async () => {
    await prometheus?.stop();
    await site?.lab.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** On the hub: the far gateway is scraped through the tunnel, as an admin would have it. */
  async function startPrometheus(): Promise<Program> {
    mkdirSync(join(directory, "data"));
    copyFileSync(join(MONITORING, "alerts.yml"), join(directory, "alerts.yml"));
    writeFileSync(
      join(directory, "prometheus.yml"),
      `global: { scrape_interval: ${SCRAPE_S}s, evaluation_interval: ${SCRAPE_S}s }
rule_files: [alerts.yml]
scrape_configs:
  - job_name: longhaul
    static_configs: [{ targets: ["10.9.0.1:${METRICS_PORT}", "10.9.0.2:${METRICS_PORT}"] }]
`,
    );
    return site.hub.start(
      [
        "prometheus",
        `--config.file=${join(directory, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(directory, "data")}`,
        `--web.listen-address=127.0.0.1:${PROMETHEUS_PORT}`,
      ],
      { input: "" },
    );
  }

  async function query(expression: string): Promise<QueryResult["data"]["result"]> {
    const path = `/api/v1/query?query=${encodeURIComponent(expression)}`;
    const script = `require("node:http").get({ host: "127.0.0.1", port: ${PROMETHEUS_PORT}, path: process.argv[1], agent: false }, (r) => r.pipe(process.stdout)).on("error", () => console.log('{"data":{"result":[]}}'))`;
    return (JSON.parse(await site.hub.run([process.execPath, "-e", script, path])) as QueryResult).data.result;
  }

  /** Shows only what went wrong: empty where all is well. */
  const mayBeEmpty = ["Where packets went: drops by reason"];

  test("promtool has nothing to say against the text", async () => {
    expect(await promtool(["check", "metrics"], await readMetrics(site.hub))).toBe("");
  });

  test("a query tells the loss of a minute within 10 % of the truth, in both directions", async () => {
    await eventually("both are scraped", async () => (await query("up == 1")).length === 2, 60_000);
    await site.wire.rules("right", { only: 4, dropEvery: DROP_EVERY.toHub });
    await site.wire.rules("left", { only: 4, dropEvery: DROP_EVERY.fromHub });
    const chatter = startChatter(site.hub, "10.9.0.2");
    await sleep(TRAFFIC_MS);
    await chatter.stop();
    await sleep((SCRAPE_S + 3) * 1_000); //  losses are counted after a second or two, and then scraped
    const counter = (name: string): string =>
      `increase(${name}{friendly_name="Lisbon",interface="wg0"}[50s] offset 8s)`;
    const lost = `(${counter("longhaul_path_lost_packets_total")} - ${counter("longhaul_path_late_packets_total")})`;
    const [toHub] = await query(`${lost} / (${lost} + ${counter("longhaul_path_received_packets_total")})`);
    expectNear(Number(toHub?.value[1]), 1 / DROP_EVERY.toHub);
    const fromHub = lost.replaceAll('friendly_name="Lisbon"', `instance="10.9.0.2:${METRICS_PORT}"`);
    const received = counter("longhaul_path_received_packets_total").replace(
      'friendly_name="Lisbon"',
      `instance="10.9.0.2:${METRICS_PORT}"`,
    );
    const [there] = await query(`${fromHub} / (${fromHub} + ${received})`);
    expectNear(Number(there?.value[1]), 1 / DROP_EVERY.fromHub);
    const [recorded] = await query('max_over_time(longhaul:path_loss:ratio5m{friendly_name="Lisbon"}[1m])');
    expect(Number(recorded?.value[1])).toBeGreaterThan(0);
  });

  test("names and labels are those of the exporters in use, the dashboard's panels have values, and Oslo is on alert", async () => {
    const [lisbon] = await query('wireguard_received_bytes_total{friendly_name="Lisbon"}');
    expect(lisbon?.metric).toMatchObject({
      interface: "wg0",
      public_key: site.lisbon.keys.publicKey,
      allowed_ips: "10.9.0.2/32,192.168.2.0/24",
    });
    expect(Number((await query("sum(abs(longhaul_unaccounted_packets))"))[0]?.value[1])).toBe(0);
    expect(Number((await query("count(longhaul_unaccounted_packets)"))[0]?.value[1])).toBe(4);
    const dashboard = JSON.parse(readFileSync(join(MONITORING, "dashboard.json"), "utf8")) as Dashboard;
    for (const { title, targets } of dashboard.panels) {
      for (const { expr } of targets) {
        const filled = expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$(interface|instance)/g, ".*");
        const found = await query(filled);
        if (!mayBeEmpty.includes(title)) expect(found.length, `${title}: ${expr}`).toBeGreaterThan(0);
      }
    }
    await eventually(
      "an alert for Oslo",
      async () => (await query('ALERTS{alertname="LonghaulPeerSilent",friendly_name="Oslo"}')).length > 0,
      60_000,
    );
  });
});

function expectNear(measured: number, truth: number): void {
  process.stdout.write(`loss: ${(100 * measured).toFixed(3)} %, truth ${(100 * truth).toFixed(3)} %\n`);
  expect(measured).toBeGreaterThan(0.9 * truth);
  expect(measured).toBeLessThan(1.1 * truth);
}
