// A real, headless Chromium for tests of pages: the system's, whatever its version.
import { type Browser, chromium, type Page } from "playwright-core";

/** Starts it. Root may not have Chromium's own sandbox; the pages are ours. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
}

/** Opens a page and collects what goes wrong on it: errors, warnings, requests to anywhere. */
export async function openPage(browser: Browser, url: string, width = 1_200): Promise<{ page: Page; wrong: string[] }> {
  const page = await browser.newPage({ viewport: { width, height: 900 } });
  const wrong: string[] = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) wrong.push(message.text());
  });
  page.on("request", (request) => {
    if (request.url() !== url) wrong.push(`asked for ${request.url()}`);
  });
  await page.goto(url);
  return { page, wrong };
}
