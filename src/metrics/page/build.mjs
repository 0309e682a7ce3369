// Makes the status page: one file with its style, its script and the chart library inside, which asks for nothing but the
// status document. Part of `npm run build`; the result is dist/metrics/status-page.html.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const target = fileURLToPath(new URL("../../../dist/metrics/status-page.html", import.meta.url));
const uplot = dirname(createRequire(import.meta.url).resolve("uplot/package.json"));
const read = (directory, path) => readFileSync(join(directory, path), "utf8").trim();

/** @returns the page's modules and what they import, as one script */
async function bundle() {
  const { output } = await build({
    root: here,
    configFile: false,
    logLevel: "warn",
    build: {
      write: false,
      target: "es2022",
      rollupOptions: { input: join(here, "page.js"), output: { format: "iife" } },
    },
  });
  return output[0].code.trim();
}

const script = await bundle();
const style = `${read(uplot, "dist/uPlot.min.css")}\n${read(here, "page.css")}`;
if (/<\/?(script|style)/i.test(script) || /<\//.test(style)) throw new Error("a tag inside the script or the style");
const licence = read(uplot, "LICENSE");
if (licence.includes("--")) throw new Error("what would end the comment inside the licence");
const page = `<!doctype html>
<!-- The charts are drawn by uPlot.

${licence}
-->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>longhaul</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
${read(here, "page.html")}
<script>${script}</script>
</body>
</html>
`;
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, page);
