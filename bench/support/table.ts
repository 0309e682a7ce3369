// Plain text tables and numbers for people.
import type { Sample } from "./statistics.js";

/** Columns padded to their width: the first to the left, the others to the right, or as `left` says. */
export function formatTable(rows: readonly (readonly string[])[], left: readonly number[] = [0]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (left.includes(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd();
  const [head, ...body] = rows;
  return [line(head!), widths.map((width) => "─".repeat(width)).join("  "), ...body.map(line)].join("\n");
}

/** Three digits that matter, thousands apart; an en dash for what was not measured. */
export function formatNumber(value: Sample): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `3.42 ×`, or an en dash. */
export function formatRatio(value: Sample): string {
  return value === undefined ? "–" : `${formatNumber(value)} ×`;
}
