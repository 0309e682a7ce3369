// Draws the report's charts; runs in a browser, after uPlot. It knows nothing of where the data comes from.

/** Told apart by people with any eyesight (Okabe and Ito). */
const TUNNEL_COLOURS = {
  longhaul: "#0072b2",
  "wireguard-go": "#e69f00",
  openvpn: "#009e73",
  ssh: "#cc79a7",
  none: "#8a9099",
  "wireguard-kernel": "#d55e00",
};
const PLACE_COLOURS = {
  tun: "#d55e00",
  socket: "#e69f00",
  queue: "#56b4e9",
  loss: "#8a9099",
  mtu: "#cc79a7",
  lab: "#b3261e",
};

/** What is on the page now, by element. */
const drawn = new Map();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axis(label, more) {
  const line = { stroke: colour("--line"), width: 1 };
  return { label, stroke: colour("--ink"), grid: line, ticks: line, ...more };
}

function formatNumber(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * Lines over a common x.
 * @param {HTMLElement} element what was drawn there before goes
 * @param {{x: number[], lines: {name: string, values: (number | null)[]}[], xLabel: string, xUnit: string,
 *   yLabel: string, yUnit: string, logarithmic?: boolean, points?: boolean, xNames?: Map<number, string>}} chart
 */
function drawLines(element, chart) {
  drawn.get(element)?.destroy();
  drawn.delete(element);
  element.replaceChildren();
  if (chart.lines.length === 0) {
    element.textContent = "Nothing was measured.";
    return;
  }
  const named = chart.xNames && {
    splits: () => [...chart.xNames.keys()],
    values: (_, ticks) => ticks.map((tick) => chart.xNames.get(tick)),
  };
  const options = {
    width: element.clientWidth,
    height: 320,
    scales: {
      x: { time: false, ...(chart.points && { range: (_, least, most) => [Math.max(0, least - 15), most + 15] }) },
      y: chart.logarithmic ? { distr: 3 } : { range: (_, __, most) => [0, (most || 1) * 1.05] },
    },
    axes: [axis(chart.xLabel, named), axis(chart.yLabel, { size: 70 })],
    focus: { alpha: 0.25 },
    cursor: { focus: { prox: 16 } },
    series: [
      { label: chart.xLabel, value: (_, x) => (x === null ? "–" : `${formatNumber(x)} ${chart.xUnit}`) },
      ...chart.lines.map(({ name }) => ({
        label: name,
        stroke: TUNNEL_COLOURS[name] ?? colour("--ink"),
        width: name === "longhaul" ? 3 : 2,
        spanGaps: true,
        ...(chart.points && { dash: [4, 4], points: { show: true, size: 10, fill: TUNNEL_COLOURS[name] } }),
        ...(!chart.points && { points: { show: false } }),
        value: (_, y) => (y === null ? "–" : `${formatNumber(y)} ${chart.yUnit}`),
      })),
    ],
  };
  // A logarithm has no place for 0.
  const values = chart.lines.map(({ values }) =>
    chart.logarithmic ? values.map((value) => (value > 0 ? value : null)) : values,
  );
  drawn.set(element, new window.uPlot(options, [chart.x, ...values], element));
}

/** Makes the charts as wide as their frames are now. */
function fitCharts() {
  for (const [element, chart] of drawn) chart.setSize({ width: element.clientWidth, height: 320 });
}

/**
 * One bar a row, cut into places.
 * @param {{name: string, parts: Record<string, number>}[]} rows
 * @param {Record<string, string>} places name to description
 */
function drawBars(element, rows, places) {
  const total = (parts) => Object.values(parts).reduce((sum, part) => sum + part, 0);
  const most = Math.max(1, ...rows.map(({ parts }) => total(parts)));
  const children = rows.map(({ name, parts }) => {
    const row = make("div", { className: "bar-row" });
    const bar = make("div", { className: "bar" });
    for (const [place, packets] of Object.entries(parts)) {
      if (packets === 0) continue;
      const title = `${name}: ${formatNumber(packets)} packets, ${places[place] ?? place}`;
      const part = make("span", { title });
      part.style.width = `${(100 * packets) / most}%`;
      part.style.background = PLACE_COLOURS[place];
      bar.append(part);
    }
    row.append(make("span", { textContent: name }), bar);
    row.append(make("span", { className: "bar-total", textContent: formatNumber(total(parts)) }));
    return row;
  });
  const key = make("div", { className: "key" });
  for (const [place, text] of Object.entries(places)) {
    const line = make("span", {});
    const patch = make("i", {});
    patch.style.background = PLACE_COLOURS[place];
    line.append(patch, `${place}: ${text}`);
    key.append(line);
  }
  element.replaceChildren(...children, key);
}

/** An element with its properties. Text goes in as text, never as markup. */
function make(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

/** @param {(string | {text: string, className: string})[][]} rows the first is the head */
function fillTable(table, rows) {
  table.replaceChildren(
    ...rows.map((cells, index) => {
      const row = make("tr", {});
      for (const cell of cells) {
        const { text, className } = typeof cell === "string" ? { text: cell, className: "" } : cell;
        row.append(make(index === 0 ? "th" : "td", { textContent: text, className }));
      }
      return row;
    }),
  );
}

window.charts = { drawBars, drawLines, fillTable, fitCharts, formatNumber, make };
