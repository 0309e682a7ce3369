// The status page in a real Chromium on the gateway's own host: a peer that is up, one that is silent, one behind a lossy path.
// With LONGHAUL_SCREENSHOTS=1 it renews the pictures in docs/status-page/.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Program } from "../../src/demo/command.js";
import { eventually } from "../support/gateway.js";
import { requireTools } from "../support/require-tools.js";
import {
  METRICS_PORT,
  startChatter,
  startWatchedSite,
  untilJoined,
  type WatchedSite,
} from "../support/watched-site.js";

const URL_HERE = `http://127.0.0.1:${METRICS_PORT}/`;
const DROP_EVERY = 20;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PICTURES = fileURLToPath(new URL("../../docs/status-page/", import.meta.url));
const looks = [
  { name: "desktop-light", width: 1_280, height: 900, colorScheme: "light" },
  { name: "desktop-dark", width: 1_280, height: 900, colorScheme: "dark" },
  { name: "phone-light", width: 390, height: 844, colorScheme: "light" },
  { name: "phone-dark", width: 390, height: 844, colorScheme: "dark" },
] as const;
const flags = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP evil.example 127.0.0.1"],
];

describe("the status page", requireTools(["ip", "wg", "ping", "chromium"]), () => {
  const directory = mkdtempSync(join(tmpdir(), "longhaul-browser-"));
  let site: WatchedSite;
  let browser: Browser;
  let chatter: Program[];

  beforeAll(async () => {
    site = await startWatchedSite();
    await site.wire.rules("right", { only: 4, dropEvery: DROP_EVERY });
    await untilJoined(site);
    chatter = [startChatter(site.hub, "10.9.0.2"), startChatter(site.hub, "10.9.0.3")];
    const program = join(directory, "chromium");
    const entered = site.hub.enter([process.env["CHROMIUM"] ?? "/usr/bin/chromium"]);
    writeFileSync(program, `#!/bin/sh\nexec ${entered.join(" ")} "$@"\n`);
    chmodSync(program, 0o755);
    browser = await chromium.launch({ executablePath: program, args: flags });
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all((chatter ?? []).map((program) => program.stop()));
    await site?.lab.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function open(
    look: (typeof looks)[number] = looks[0],
  ): Promise<{ page: Page; wrong: string[]; context: BrowserContext }> {
    const { width, height, colorScheme } = look;
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, isMobile: width < 500 });
    const page = await context.newPage();
    const wrong: string[] = [];
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) wrong.push(message.text());
    });
    page.on("request", (request) => {
      if (![URL_HERE, `${URL_HERE}status.json`, "data:,"].includes(request.url()))
        wrong.push(`asked for ${request.url()}`);
    });
    await page.goto(URL_HERE);
    await page.locator(".peer").nth(2).waitFor();
    return { page, wrong, context };
  }

  const card = (page: Page, name: string) => page.locator(".peer", { has: page.getByText(name, { exact: true }) });
  const exact = async (page: Page, name: string, term: string): Promise<number> =>
    Number(await card(page, name).locator("dl div", { hasText: term }).locator("dd").getAttribute("data-value"));

  test("says how each peer is, and shows it", async () => {
    const { page, wrong, context } = await open();
    await eventually(
      "the loss shows",
      async () => (await card(page, "Lisbon").getAttribute("data-state")) === "degraded",
      60_000,
    );
    expect(await card(page, "Lisbon").locator(".sentence").textContent()).toMatch(/bit\/s, .* % loss/);
    await eventually(
      "Oslo is found silent",
      async () => (await card(page, "Oslo").getAttribute("data-state")) === "silent",
      30_000,
    );
    expect(await card(page, "Oslo").locator(".sentence").textContent()).toContain("no answer from 203.0.113.77:51820");
    expect(await card(page, "Berlin").getAttribute("data-state")).toBe("up");
    expect(await page.locator("#headline").textContent()).toBe("1 silent, 1 degraded, 1 up");
    expect(await page.locator(".peer .name").allTextContents()).toEqual(["Oslo", "Lisbon", "Berlin"]);
    for (const chart of await page.locator(".peer canvas").all()) {
      const box = await chart.boundingBox();
      expect(box?.width).toBeGreaterThan(100);
    }
    expect(await page.locator(".peer canvas").count()).toBe(9);
    const drawn = await page.evaluate(`(() => {
      const canvas = document.querySelector('[data-key="${site.berlin.keys.publicKey}"] canvas');
      return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((x) => x > 0);
    })()`);
    expect(drawn).toBe(true);
    expect(await page.locator("#outbound tbody tr").first().textContent()).toMatch(/^came[0-9,]{3,}100 %$/);
    expect(await page.locator("#outbound tbody tr").last().textContent()).toMatch(/^unaccounted for0/);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("has the values of /metrics", async () => {
    const { page, context } = await open();
    await Promise.all(chatter.splice(0).map((program) => program.stop()));
    const key = site.lisbon.keys.publicKey;
    const ofMetrics = async (): Promise<number[]> => {
      const text = (await page.evaluate("fetch('metrics').then((answer) => answer.text())")) as string;
      const value = (name: string): number => {
        const line = text.split("\n").find((one) => one.startsWith(`${name}{`) && one.includes(key));
        return Number(line?.split(" ").at(-1));
      };
      return [
        value("wireguard_sent_bytes_total"),
        value("wireguard_received_bytes_total"),
        value("longhaul_peer_received_packets_total"),
        value("longhaul_path_lost_packets_total"),
      ];
    };
    const ofPage = async (): Promise<number[]> => {
      const terms = ["Sent, bytes", "Received, bytes", "Received, packets", "Lost on the path"];
      return Promise.all(terms.map((term) => exact(page, "Lisbon", term)));
    };
    let values: number[] = [];
    await eventually(
      "page and metrics agree",
      async () => {
        values = await ofPage();
        const again = await ofMetrics();
        return values.every((value, i) => value > 0 && value === again[i]);
      },
      30_000,
    );
    const [, , received, lost] = values;
    expect(lost! / (received! + lost!)).toBeGreaterThan(0.8 / DROP_EVERY);
    expect(lost! / (received! + lost!)).toBeLessThan(1.2 / DROP_EVERY);
    chatter.push(startChatter(site.hub, "10.9.0.2"), startChatter(site.hub, "10.9.0.3"));
    await context.close();
  });

  test("works from the keyboard, and stops when it is told to", async () => {
    const { page, context } = await open();
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the peers");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    expect(await page.getByRole("button", { name: "Pause updates" }).getAttribute("aria-pressed")).toBe("true");
    const before = await page.locator("#updated").textContent();
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(await page.locator("#updated").textContent()).toBe(before);
    await page.keyboard.press("Space");
    await eventually("it goes on", async () => (await page.locator("#updated").textContent()) !== before);
    const summary = page.getByText("Numbers of Berlin");
    await summary.focus();
    await page.keyboard.press("Enter");
    await eventually("the numbers show", () => card(page, "Berlin").locator("dl").isVisible());
    const table = page.getByText("Charts of Berlin as a table");
    await table.focus();
    await page.keyboard.press("Enter");
    await eventually("the table has samples", async () => (await card(page, "Berlin").locator("tbody tr").count()) > 0);
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Charts of Berlin as a table");
    await context.close();
  });

  test("a name of another site is refused, and nothing may run that is not in the page", async () => {
    const { page, context } = await open();
    const stranger = await context.newPage();
    const answer = await stranger.goto(`http://evil.example:${METRICS_PORT}/`);
    expect(answer?.status()).toBe(421);
    const blocked = await page.evaluate(`new Promise((resolve) => {
      document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "document.title = 'taken'";
      document.body.append(script);
    })`);
    expect(blocked).toBe("script-src-elem");
    await context.close();
  });

  test("a name is text, whatever is in it, and a new one shows everywhere", async () => {
    const { page, wrong, context } = await open();
    const name = `</script><img src=x onerror="document.title='taken'"> 'Bü"ro' & <b id=injected> \u202e🏢`;
    await page.evaluate(`{
      const real = window.fetch;
      window.fetch = async (...asked) => {
        const text = await (await real(...asked)).text();
        return new Response(text.replaceAll('"Berlin"', ${JSON.stringify(JSON.stringify(name))}));
      };
    }`);
    await eventually("the name shows", () => card(page, name).isVisible(), 30_000);
    expect(await page.locator("#injected, .peer img").count()).toBe(0);
    expect(await page.title()).not.toContain("taken");
    for (const text of [`Numbers of ${name}`, `Charts of ${name}`, `Charts of ${name} as a table`]) {
      expect(await page.getByText(text, { exact: true }).count(), text).toBe(1);
    }
    expect(await page.getByText("Berlin").count()).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test.each(looks)("$name: accessible, nothing sticks out sideways", async (look) => {
    const { page, context } = await open(look);
    await page.evaluate("for (const one of document.querySelectorAll('.peer details')) one.open = true");
    const axe = `${AXE}; axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
      .then(({ violations, passes }) => ({ passes: passes.length, found: violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html, failureSummary }) => html + failureSummary).join("; ")) }))`;
    const { found, passes } = (await page.evaluate(axe)) as { found: string[]; passes: number };
    expect(found).toEqual([]);
    expect(passes).toBeGreaterThan(20);
    expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
    if (process.env["LONGHAUL_SCREENSHOTS"] === "1") {
      const { page: fresh, context: other } = await open(look);
      await new Promise((resolve) => setTimeout(resolve, 30_000)); //  for charts with something on them
      mkdirSync(PICTURES, { recursive: true });
      await fresh.screenshot({ path: join(PICTURES, `${look.name}.png`), fullPage: true });
      await other.close();
    }
    await context.close();
  });

  test("without an answer it says so, and goes on when there is one again", async () => {
    const { page, context } = await open();
    await context.setOffline(true);
    await eventually(
      "it says so",
      async () => (await page.locator("#headline").textContent())?.includes("does not answer") === true,
    );
    await context.setOffline(false);
    await eventually(
      "it goes on",
      async () => /silent/.test((await page.locator("#headline").textContent()) ?? ""),
      30_000,
    );
    await context.close();
  });
});
