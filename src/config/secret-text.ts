// Whether a text that stands in the wrong place could be a key, or a piece of one. Messages then tell its length only.

import { quote } from "./errors.js";

const RUN = /[A-Za-z0-9+/_-]{12,}/g;
/** No word is as long. */
const LONG_RUN = 40;
/** From here on, what does not look like words is not shown. */
const MIDDLE_RUN = 20;
const MIXED_SHARE_MIN = 0.3;

/**
 * A guess that errs towards silence: a long run of base64 or hexadecimal, or a shorter one that mixes cases and digits as no
 * word does.
 */
export function looksSecret(text: string): boolean {
  return (text.match(RUN) ?? []).some(
    (run) => run.length >= LONG_RUN || isMixed(run) || (run.length >= MIDDLE_RUN && !isWords(run)),
  );
}

function isMixed(run: string): boolean {
  const upper = count(run, /[A-Z]/g);
  const lower = count(run, /[a-z]/g);
  const other = count(run, /[0-9+/]/g);
  if (upper === 0 || lower === 0) return false;
  return other > 0 || Math.min(upper, lower) >= run.length * MIXED_SHARE_MIN;
}

/** Words as in PersistentKeepalive or long-host-name, abbreviations as in AllowedIPs. */
function isWords(run: string): boolean {
  const words = run.match(/[A-Z]+[a-z]*|[a-z]+|[^A-Za-z]/g) ?? [];
  return words.every((word) => /^([A-Z]?[a-z]{2,}|[A-Z]{2,4}s?|[A-Z]{2,5}[a-z]{2,}|[_-])$/.test(word));
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

/** The text in quotes, or how long it is when it could be a key. @returns printable ASCII. Throws nothing. */
export function quoteUnlessSecret(text: string): string {
  return looksSecret(text) ? hidden(text) : quote(text);
}

/** For a text that is no more than its length. @returns printable ASCII. Throws nothing. */
export function hidden(text: string): string {
  return `of ${text.length} characters (not shown: it could be a key)`;
}
