// The report's page: what the reader has chosen, and what that shows. Runs in a browser, after charts.js.
const { drawBars, drawLines, fillTable, fitCharts, formatNumber, make } = window.charts;

const result = JSON.parse(document.getElementById("result").textContent);
const chosen = { scenario: result.scenarios[0].name, load: result.loads[0].name, unit: "Mbit/s" };
/** What is drawn last lies on top. */
const tunnels = [...result.tunnels].reverse();
const at = (id) => document.getElementById(id);

const percent = (share) => (share === undefined || share === null ? "–" : `${(100 * share).toFixed(1)} %`);

function median(values) {
  const sorted = values.filter((value) => value !== undefined && value !== null).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Samples of one tunnel under what is chosen, all rounds. */
function samplesOf(tunnel) {
  return result.samples.filter(
    (one) => one.tunnel === tunnel && one.scenario === chosen.scenario && one.load === chosen.load,
  );
}

function summaryOf(scenario, tunnel) {
  return result.summaries.find((one) => one.scenario === scenario && one.tunnel === tunnel && one.load === chosen.load);
}

function drawOverTime() {
  const lines = tunnels.map((name) => {
    const series = samplesOf(name).map((sample) => sample.seriesMbps ?? []);
    const length = Math.max(0, ...series.map((one) => one.length));
    return { name, values: Array.from({ length }, (_, i) => median(series.map((one) => one[i]))) };
  });
  const measured = lines.filter(({ values }) => values.length > 0);
  const length = Math.max(0, ...measured.map(({ values }) => values.length));
  for (const { values } of measured) while (values.length < length) values.push(null);
  const x = Array.from({ length }, (_, i) => (i + 1) * result.intervalS);
  drawLines(at("over-time"), { x, lines: measured, xLabel: "time", xUnit: "s", yLabel: "Mbit/s", yUnit: "Mbit/s" });
}

function drawLatency() {
  const x = Array.from({ length: 101 }, (_, i) => i);
  const lines = tunnels.flatMap((name) => {
    const pings = samplesOf(name)
      .flatMap((sample) => sample.pingsMs ?? [])
      .sort((a, b) => a - b);
    if (pings.length === 0) return [];
    return [{ name, values: x.map((i) => pings[Math.min(pings.length - 1, Math.floor((i / 100) * pings.length))]) }];
  });
  const labels = { xLabel: "percentile", xUnit: "%", yLabel: "ms", yUnit: "ms", logarithmic: true };
  drawLines(at("latency"), { x, lines, ...labels });
}

function drawAgainstRtt() {
  const scenarios = [...result.scenarios].sort((a, b) => a.rttMs - b.rttMs);
  const isShare = chosen.unit !== "Mbit/s";
  const figure = (summary) => {
    if (summary === undefined) return null;
    return isShare ? (summary.shareSettled ?? null) && 100 * summary.shareSettled : (summary.mbpsSettled ?? null);
  };
  const lines = tunnels
    .map((name) => ({ name, values: scenarios.map((scenario) => figure(summaryOf(scenario.name, name))) }))
    .filter(({ values }) => values.some((value) => value !== null));
  drawLines(at("against-rtt"), {
    x: scenarios.map(({ rttMs }) => rttMs),
    xNames: new Map(scenarios.map(({ rttMs, name }) => [rttMs, `${rttMs} ms\n${name}`])),
    lines,
    points: true,
    logarithmic: !isShare,
    ...{ xLabel: "round-trip time", xUnit: "ms", yLabel: chosen.unit, yUnit: isShare ? "%" : "Mbit/s" },
  });
}

function drawLost() {
  const rows = result.tunnels.flatMap((name) => {
    const summary = summaryOf(chosen.scenario, name);
    return summary === undefined ? [] : [{ name, parts: summary.drops }];
  });
  drawBars(at("lost"), rows, result.places);
}

const COLUMNS = [
  ["tunnel", (one) => one.tunnel],
  ["Mbit/s settled", (one) => formatNumber(one.mbpsSettled)],
  ["overall", (one) => formatNumber(one.mbps)],
  ["of bare, settled", (one) => percent(one.shareSettled)],
  ["overall", (one) => percent(one.share)],
  ["ping idle, ms", (one) => formatNumber(one.idlePingMs)],
  ["loaded", (one) => formatNumber(one.pingMs)],
  ["p99", (one) => formatNumber(one.pingP99Ms)],
  ["retransmits", (one) => formatNumber(one.retransmits)],
  ...Object.keys(result.places).map((place) => [`lost: ${place}`, (one) => formatNumber(one.drops[place])]),
  ["CPU s/GB", (one) => formatNumber(one.cpuSecondsPerGb)],
  ["emulator, cores", (one) => formatNumber(one.emulatorCores)],
  ["late", (one) => (one.latePercent === undefined ? "–" : `${formatNumber(one.latePercent)} %`)],
];

function fillSummary() {
  const rows = result.tunnels
    .map((name) => summaryOf(chosen.scenario, name))
    .filter((summary) => summary !== undefined)
    .map((summary) => COLUMNS.map(([, show]) => show(summary)));
  fillTable(at("summary"), [COLUMNS.map(([head]) => head), ...rows]);
}

function fillTargets() {
  if (result.targets.length === 0) {
    at("targets-section").hidden = true;
    return;
  }
  const rows = result.targets.map(({ title, must, measured, holds }) => [
    title,
    must,
    measured,
    holds ? { text: "✓ holds", className: "holds" } : { text: "✗ fails", className: "fails" },
  ]);
  fillTable(at("targets"), [["target", "must", "measured", ""], ...rows]);
}

function fillConditions() {
  const failed = result.samples.filter(({ error }) => error !== undefined);
  const ends = Object.entries(result.tcpSysctls).map(([knob, value]) => [`both ends: ${knob}`, value]);
  const link = (one) =>
    `${one.title}. Forward ${JSON.stringify(one.link.forward)}; back ${JSON.stringify(one.link.backward)}`;
  const rows = [
    ["what", "value"],
    ["machine", `${result.machine.cpu}, ${result.machine.cores} cores, ${result.machine.memoryGb} GB`],
    ["kernel", result.machine.kernel],
    ["Node.js", result.machine.node],
    ["commit", `${result.commit.hash}${result.commit.dirty ? " and changes" : ""}`],
    ["seed", String(result.seed)],
    ...Object.entries(result.versions),
    ...Object.entries(result.machine.sysctls),
    ...ends,
    ...result.scenarios.map((one) => [`link ${one.name}`, link(one)]),
    ...result.absent.map((line) => ["not measured", line]),
    ...failed.map((one) => ["failed", `${one.scenario}, round ${one.round}, ${one.load}, ${one.tunnel}: ${one.error}`]),
  ];
  const table = make("table", {});
  fillTable(table, rows);
  at("conditions").replaceChildren(table);
}

/** Buttons of which one is pressed. */
function offer(element, names, key) {
  element.replaceChildren(
    ...names.map(([name, title]) => {
      const button = make("button", { type: "button", textContent: title });
      button.setAttribute("aria-pressed", String(chosen[key] === name));
      button.addEventListener("click", () => {
        chosen[key] = name;
        show();
      });
      return button;
    }),
  );
}

function show() {
  offer(
    at("scenarios"),
    result.scenarios.map(({ name }) => [name, name]),
    "scenario",
  );
  offer(
    at("loads"),
    result.loads.map(({ name, title }) => [name, title]),
    "load",
  );
  const units = ["Mbit/s", "% of bare link"];
  offer(
    at("against-unit"),
    units.map((unit) => [unit, unit]),
    "unit",
  );
  at("title").textContent = result.scenarios.find(({ name }) => name === chosen.scenario).title;
  drawOverTime();
  drawLatency();
  drawAgainstRtt();
  drawLost();
  fillSummary();
}

at("setting").textContent =
  `${result.date.slice(0, 16).replace("T", " ")} UTC · ${result.machine.cpu}, ${result.machine.cores} cores · ` +
  `Linux ${result.machine.kernel.split(" ")[0]} · ${result.rounds === 1 ? "1 round" : `${result.rounds} rounds`} of ${result.seconds} s · seed ${result.seed}`;
fillTargets();
fillConditions();
show();
addEventListener("resize", fitCharts);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
