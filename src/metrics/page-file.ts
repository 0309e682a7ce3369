// The status page as the build left it: one file with its style and its script inside, and the policy that allows just these.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

export interface StatusPage {
  readonly html: Buffer;
  /** Content-Security-Policy. */
  readonly policy: string;
}

const PAGE_FILE = new URL("./status-page.html", import.meta.url);

/** @returns undefined when it was not built */
export function readStatusPage(file: URL = PAGE_FILE): StatusPage | undefined {
  let html: Buffer;
  try {
    html = readFileSync(file);
  } catch {
    return undefined;
  }
  return { html, policy: pagePolicy(html.toString("utf8")) };
}

/** Nothing from anywhere, but what stands in the page and the document that it shows. */
export function pagePolicy(html: string): string {
  return [
    "default-src 'none'",
    `script-src ${hashesOf(html, "script")}`,
    `style-src ${hashesOf(html, "style")}`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function hashesOf(html: string, element: "script" | "style"): string {
  const contents = [...html.matchAll(new RegExp(`<${element}>([\\s\\S]*?)</${element}>`, "g"))];
  const hashes = contents.map(([, text]) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`);
  return hashes.length === 0 ? "'none'" : hashes.join(" ");
}
