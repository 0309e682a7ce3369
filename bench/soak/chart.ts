// A soak as one picture: an SVG file that loads nothing, a row a series, a line a daemon. Pure.
import type { DaemonSample } from "./samples.js";
import type { Sample } from "./verdict.js";

const WIDTH = 900;
const LEFT = 70;
const RIGHT = 20;
const ROW = 120;
const TOP = 60;
/** Told apart by people with any eyesight (Okabe and Ito). */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"];

interface Row {
  readonly title: string;
  value(sample: DaemonSample, before: DaemonSample | undefined): number;
}

const rows: readonly Row[] = [
  { title: "resident memory, MB", value: ({ rssMb }) => rssMb },
  { title: "JavaScript heap in use, MB", value: ({ heapMb }) => heapMb },
  { title: "open descriptors", value: ({ descriptors }) => descriptors },
  { title: "handles of the event loop", value: ({ handles }) => handles },
  { title: "handshakes since the last sample", value: (now, before) => since(now, before, "handshakes") },
  {
    title: "packets refused or lost in this host since the last sample",
    value: (now, before) => since(now, before, "drops"),
  },
  { title: "packets unaccounted for", value: ({ unaccounted }) => unaccounted },
];

/** Peers that were taken away take their counts along. */
function since(now: DaemonSample, before: DaemonSample | undefined, field: keyof DaemonSample): number {
  return before === undefined ? 0 : Math.max(0, now[field] - before[field]);
}

/** @param title  for the head, plain text. @returns an SVG document */
export function drawChart(samples: readonly Sample[], title: string): string {
  const names = Object.keys(samples[0]?.daemons ?? {});
  const height = TOP + rows.length * ROW + 30;
  const legend = names
    .map(
      (name, i) => `<text x="${LEFT + i * 70}" y="44" fill="${COLOURS[i % COLOURS.length]}">— ${escaped(name)}</text>`,
    )
    .join("");
  const parts = rows.map((row, i) => drawRow(row, TOP + i * ROW, samples, names));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">
<title>longhaul, soaked: memory, descriptors and traffic of its gateways</title>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="${LEFT}" y="24" font-size="15">${escaped(title)}</text>
${legend}
${parts.join("\n")}
${timeAxis(samples, height)}
</svg>
`;
}

function drawRow(row: Row, top: number, samples: readonly Sample[], names: readonly string[]): string {
  const lines = names.map((name) =>
    samples.map(({ daemons }, i) => row.value(daemons[name]!, samples[i - 1]?.daemons[name])),
  );
  const most = Math.max(1, ...lines.flat()) * 1.1;
  const bottom = top + ROW - 20;
  const y = (value: number): string => (bottom - (value / most) * (ROW - 45)).toFixed(1);
  const paths = lines.map((values, i) => {
    const points = values.map((value, at) => `${x(samples, samples[at]!.atS)},${y(value)}`).join(" ");
    return `<polyline points="${points}" fill="none" stroke="${COLOURS[i % COLOURS.length]}" stroke-width="1.5"/>`;
  });
  return `<text x="${LEFT}" y="${top + 14}">${escaped(row.title)}</text>
<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${bottom}" y2="${bottom}" stroke="#999"/>
<text x="${LEFT - 6}" y="${bottom}" text-anchor="end" fill="#555">0</text>
<text x="${LEFT - 6}" y="${top + 30}" text-anchor="end" fill="#555">${most.toFixed(most < 10 ? 1 : 0)}</text>
${paths.join("\n")}`;
}

function timeAxis(samples: readonly Sample[], height: number): string {
  const endS = samples.at(-1)?.atS ?? 0;
  const marks = Array.from({ length: 7 }, (_, i) => (endS * i) / 6);
  return marks
    .map((atS) => {
      const text = endS >= 120 ? `${(atS / 60).toFixed(0)} min` : `${atS.toFixed(0)} s`;
      return `<text x="${x(samples, atS)}" y="${height - 12}" text-anchor="middle" fill="#555">${text}</text>`;
    })
    .join("");
}

function x(samples: readonly Sample[], atS: number): string {
  const endS = Math.max(1, samples.at(-1)?.atS ?? 1);
  return (LEFT + (atS / endS) * (WIDTH - LEFT - RIGHT)).toFixed(1);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
