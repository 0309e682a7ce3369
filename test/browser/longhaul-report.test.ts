// The bench's report as its readers have it: a file, opened in a browser, without a network.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderHtml } from "../../bench/longhaul/html.js";
import { result } from "../bench/longhaul/results.js";
import { openPage, startBrowser } from "../support/browser.js";
import { requireTools } from "../support/require-tools.js";

const CHARTS = ["#over-time", "#latency", "#against-rtt"];

describe("the report of bench:longhaul", requireTools(["chromium"]), () => {
  const directory = mkdtempSync(join(tmpdir(), "longhaul-report-"));
  const path = join(directory, "report.html");
  const url = pathToFileURL(path).href;
  let browser: Browser;

  beforeAll(async () => {
    writeFileSync(path, renderHtml(JSON.stringify({ ...result(), absent: ["</script><b id=injected>"] })));
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test("draws its charts and tables, asks for nothing, complains of nothing", async () => {
    const { page, wrong } = await openPage(browser, url);
    for (const chart of CHARTS) {
      expect(await page.locator(`${chart} canvas`).count(), chart).toBe(1);
      expect(await page.locator(`${chart} .u-series`).allTextContents(), chart).toHaveLength(4);
      // Something else than background is on the canvas.
      const drawn = await page.evaluate(
        `((canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((x) => x > 0))(
          document.querySelector("${chart} canvas"))`,
      );
      expect(drawn, chart).toBe(true);
    }
    expect(await page.locator("#summary tr").count()).toBe(4);
    expect(await page.locator("#targets .holds").count()).toBeGreaterThan(0);
    expect(await page.locator(".bar-row").count()).toBe(3);
    expect(await page.locator("#injected").count()).toBe(0);
    expect(await page.locator("#conditions").textContent()).toContain("</script><b id=injected>");
    expect(wrong).toEqual([]);
    await page.close();
  });

  test("another link, another load, another unit, from the keyboard too", async () => {
    const { page, wrong } = await openPage(browser, url);
    const rate = (): Promise<string | null> => page.locator("#summary tr:nth-child(2) td:nth-child(2)").textContent();
    expect(await rate()).toBe("950");
    await page.getByRole("button", { name: "dsl" }).click();
    expect(await rate()).toBe("95");
    expect(await page.locator("#title").textContent()).toContain("DSL");
    expect(await page.getByRole("button", { name: "dsl" }).getAttribute("aria-pressed")).toBe("true");
    expect(await page.getByRole("button", { name: "office" }).getAttribute("aria-pressed")).toBe("false");
    await page.getByRole("button", { name: "BBR" }).focus();
    await page.keyboard.press("Enter");
    expect(await page.getByRole("button", { name: "BBR" }).getAttribute("aria-pressed")).toBe("true");
    await page.getByRole("button", { name: "% of bare link" }).click();
    expect(await page.locator("#against-rtt .u-label").allTextContents()).toContain("longhaul");
    for (const chart of CHARTS) expect(await page.locator(`${chart} canvas`).count(), chart).toBe(1);
    expect(wrong).toEqual([]);
    await page.close();
  });

  test("pointing at a chart reads the values there; a click in the legend takes a line away", async () => {
    const { page, wrong } = await openPage(browser, url);
    const legend = page.locator("#over-time .u-series", { hasText: "longhaul" });
    expect(await legend.textContent()).toContain("–");
    const box = (await page.locator("#over-time .u-over").boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.7, box.y + box.height / 2);
    await expect.poll(() => legend.textContent()).toContain("950 Mbit/s");
    await legend.locator("th").click();
    await expect.poll(() => legend.getAttribute("class")).toContain("u-off");
    expect(wrong).toEqual([]);
    await page.close();
  });

  test("on a telephone nothing is wider than the screen", async () => {
    const { page, wrong } = await openPage(browser, url, 390);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
    expect(wrong).toEqual([]);
    await page.close();
  });
});
