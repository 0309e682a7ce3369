// Numbers as people read them. Runs in a browser.

const UNITS = ["", "k", "M", "G", "T"];

/** @returns such as `412 Mbit/s` */
export function rateText(bitsPerSecond) {
  let value = bitsPerSecond;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit++;
  }
  const digits = value < 10 && unit > 0 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}bit/s`;
}

/** @param part  of 1, or null */
export function percentText(part) {
  if (part === null || Number.isNaN(part)) return "–";
  const percent = 100 * part;
  const isWhole = percent === 0 || percent === 100;
  return `${percent.toFixed(isWhole ? 0 : percent >= 10 && percent < 99 ? 1 : 2)} %`;
}

/** @param seconds  or null */
export function millisecondsText(seconds) {
  if (seconds === null) return "–";
  const ms = seconds * 1_000;
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

export function countText(value) {
  return value.toLocaleString("en-US");
}

/** @param ms  since 1970, or null */
export function timeText(ms) {
  if (ms === null) return "never";
  const date = new Date(ms);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString() : date.toLocaleString();
}

/** `tun_queue_full` → `tun queue full` */
export function reasonText(reason) {
  return reason.replaceAll("_", " ");
}
