// What a peer did while the page was open: throughput, loss and round-trip time, ten minutes of them, as charts and as a table.

import uPlot from "uplot";
import { make, setRows, setText } from "./elements.js";
import { millisecondsText, percentText, rateText } from "./quantities.js";

const SAMPLES_MAX = 300;
const TABLE_ROWS = 12;
const HEIGHT = 150;
const GAP_S = 30;

/** The charts of a peer: each with its lines, the way its values are written, and where its axis ends at least. */
const charts = [
  {
    title: "Throughput",
    lines: [
      { label: "received", colour: "--received", dash: [], value: (peer) => peer.traffic.receivedBitsPerSecond },
      { label: "sent", colour: "--sent", dash: [6, 3], value: (peer) => peer.traffic.sentBitsPerSecond },
    ],
    text: rateText,
    least: 1_000,
  },
  {
    title: "Loss on the path from the peer",
    lines: [{ label: "loss", colour: "--received", dash: [], value: (peer) => peer.path.recentLoss }],
    text: percentText,
    least: 0.01,
  },
  {
    title: "Round-trip time",
    lines: [{ label: "round trip", colour: "--received", dash: [], value: (peer) => peer.roundTrip.smoothedSeconds }],
    text: millisecondsText,
    least: 0.001,
  },
];
const lines = charts.flatMap((chart) => chart.lines);

export class History {
  #times = [];
  #columns = lines.map(() => []);
  #plots = [];
  #element;
  #table;
  #figures = [];
  #summary = make("summary");
  #tableSummary = make("summary");

  /** @param isOpen  whether the charts show from the start */
  constructor(isOpen) {
    const figures = make("div", { class: "charts" });
    for (const { title } of charts) {
      const chart = make("div", { role: "img", "aria-label": title });
      figures.append(make("figure", {}, make("figcaption", {}, title), chart));
      this.#figures.push(chart);
    }
    const head = ["Time", ...lines.map(({ label }) => label)].map((text) => make("th", { scope: "col" }, text));
    const body = make("tbody");
    this.#table = make(
      "details",
      {},
      this.#tableSummary,
      make("table", {}, make("thead", {}, make("tr", {}, ...head)), body),
    );
    this.#element = make("details", {}, this.#summary, figures, this.#table);
    this.#element.open = isOpen;
    for (const details of [this.#element, this.#table]) details.addEventListener("toggle", () => this.draw());
    new ResizeObserver(() => this.#resize()).observe(figures);
  }

  get element() {
    return this.#element;
  }

  add(nowMs, peer) {
    setText(this.#summary, `Charts of ${peer.name}`);
    setText(this.#tableSummary, `Charts of ${peer.name} as a table`);
    const now = nowMs / 1_000;
    if (this.#times.length > 0 && now - this.#times.at(-1) > GAP_S) this.#push(now - 1, () => null);
    this.#push(now, (line) => line.value(peer));
    this.draw();
  }

  /** Colours are read anew: the page went from light to dark. */
  restyle() {
    for (const plot of this.#plots.splice(0)) plot.destroy();
    this.draw();
  }

  draw() {
    if (!this.#element.open) return;
    if (this.#plots.length === 0) this.#plots = charts.map((chart, i) => this.#plot(chart, this.#figures[i]));
    let column = 0;
    charts.forEach((chart, i) => {
      const columns = this.#columns.slice(column, column + chart.lines.length);
      column += chart.lines.length;
      this.#plots[i].setData([this.#times, ...columns]);
      const last = chart.lines.map(({ label }, k) => `${label} ${this.#text(chart, columns[k].at(-1))}`);
      this.#figures[i].setAttribute("aria-label", `${chart.title}, now: ${last.join(", ")}`);
    });
    if (this.#table.open) this.#fillTable();
  }

  #push(time, value) {
    this.#times.push(time);
    for (const [i, line] of lines.entries()) this.#columns[i].push(value(line));
    if (this.#times.length <= SAMPLES_MAX) return;
    for (const column of [this.#times, ...this.#columns]) column.shift();
  }

  #text(chart, value) {
    return value === null || value === undefined ? "–" : chart.text(value);
  }

  #fillTable() {
    const rows = [];
    for (let i = this.#times.length - 1; i >= 0 && rows.length < TABLE_ROWS; i--) {
      let column = 0;
      const cells = [new Date(this.#times[i] * 1_000).toLocaleTimeString()];
      for (const chart of charts) {
        for (const _ of chart.lines) cells.push(this.#text(chart, this.#columns[column++][i]));
      }
      rows.push({ cells });
    }
    setRows(this.#table.querySelector("tbody"), rows);
  }

  #resize() {
    this.#plots.forEach((plot, i) => {
      const width = this.#figures[i].clientWidth;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    });
  }

  #plot(chart, into) {
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    return new uPlot(
      {
        width: into.clientWidth || 300,
        height: HEIGHT,
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(chart.least, (high ?? 0) * 1.1)] } },
        axes: [
          { ...axis, space: 90 },
          { ...axis, size: 82, values: (_plot, values) => values.map((value) => chart.text(value)) },
        ],
        series: [
          { label: "time" },
          ...chart.lines.map(({ label, colour: name, dash }) => ({
            label,
            stroke: colour(name),
            width: 2,
            dash,
            points: { show: false },
            value: (_plot, value) => this.#text(chart, value),
          })),
        ],
      },
      [this.#times, ...chart.lines.map(() => [])],
      into,
    );
  }
}
