// Quantities as people read them: rates, bytes, shares, durations, moments.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** @returns such as `412 Mbit/s`, `3.2 kbit/s`, `0 bit/s` */
export function bitRateText(bitsPerS: number): string {
  return scaled(bitsPerS, 1_000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
}

/** @returns such as `1.5 MiB` */
export function bytesText(bytes: number): string {
  return scaled(bytes, 1_024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let unit = 0;
  let rest = value;
  while (unit < units.length - 1 && Math.round(rest) >= step) {
    rest /= step;
    unit++;
  }
  const digits = unit > 0 && rest < 9.95 ? 1 : 0;
  return `${rest.toFixed(digits)} ${units[unit]}`;
}

/** @param share  0 to 1  @returns such as `0.02 %`; what is not 0 is not shown as 0 */
export function percentText(share: number): string {
  const percent = share * 100;
  if (percent === 0) return "0 %";
  if (percent < 0.01) return "< 0.01 %";
  return `${percent.toFixed(percent < 1 ? 2 : percent < 9.95 ? 1 : 0)} %`;
}

/** @returns such as `81 ms`, `0.4 ms`, `1.2 s` */
export function millisecondsText(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms < 9.95 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}

/** @returns such as `12 s`, `4 min`, `3 h 20 min`, `5 days` */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

/** @returns `14:02` by this host's time zone; with the date when it is not today's */
export function momentText(ms: number, nowMs: number): string {
  const moment = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, "0");
  const time = `${two(moment.getHours())}:${two(moment.getMinutes())}`;
  const isToday = nowMs - ms < DAY_MS && new Date(nowMs).getDate() === moment.getDate();
  return isToday ? time : `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())} ${time}`;
}

/** @returns such as `12,345`: with Intl it took most of the time of a page of peers */
export function numberText(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** @returns `1 packet`, `12 packets`, `1,234 packets` */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${numberText(count)} ${count === 1 ? one : many}`;
}
