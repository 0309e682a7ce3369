// The report: one HTML file with its data, its charts and their library inside, to be opened from disk or a mail.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { root } from "../support/root.js";

/** @param json  what the lab has saved. @returns the document. It loads nothing from anywhere */
export function renderHtml(json: string): string {
  const uplot = dirname(createRequire(import.meta.url).resolve("uplot/package.json"));
  const style = `${read(uplot, "dist/uPlot.min.css")}\n${read(root, "bench/longhaul/page/page.css")}`;
  const body = read(root, "bench/longhaul/page/page.html");
  const charts = asScript(read(root, "bench/longhaul/page/charts.js"));
  const page = asScript(read(root, "bench/longhaul/page/page.js"));
  const policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>longhaul: tunnels over long links</title>
<style>
${style}
</style>
</head>
<body>
${body}
<script type="application/json" id="result">${asScript(JSON.stringify(JSON.parse(json)))}</script>
<script>${asScript(read(uplot, "dist/uPlot.iife.min.js"))}</script>
<script type="module">
${charts}</script>
<script type="module">
${page}</script>
</body>
</html>
`;
}

function read(directory: string, path: string): string {
  return readFileSync(join(directory, path), "utf8");
}

/** What may stand between script tags: nothing that ends them. */
function asScript(text: string): string {
  return text.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
}
