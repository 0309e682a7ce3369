// Pictures of a report, for documents: as a reader sees it in a browser, by day and by night.
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** @param report  path of the HTML. @param directory  where report.png and report-dark.png go */
export async function takeScreenshots(report: string, directory: string): Promise<void> {
  const { chromium } = await import("playwright-core"); // only developers have it
  await mkdir(directory, { recursive: true });
  // Root may not have Chromium's own sandbox; the page is ours.
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  try {
    for (const [name, colorScheme] of [
      ["longhaul-report.png", "light"],
      ["longhaul-report-dark.png", "dark"],
    ] as const) {
      const page = await browser.newPage({ viewport: { width: 1_200, height: 1_300 }, colorScheme });
      await page.goto(pathToFileURL(resolve(report)).href);
      await page.locator("#over-time canvas").waitFor();
      await page.screenshot({ path: join(directory, name) });
    }
  } finally {
    await browser.close();
  }
}
