// Ports, marks and intervals as text. Leading zeros are decimal, as in wg(8) and wireguard-go; signs, spaces, exponents
// and octal are refused.

import { ConfigError, ConfigErrorCode } from "./errors.js";
import { quoteUnlessSecret } from "./secret-text.js";

const PORT_MAX = 0xffff;
const FWMARK_MAX = 0xffff_ffff;
const KEEPALIVE_S_MAX = 0xffff;

/**
 * @param text  decimal digits only
 * @param max   largest value allowed, below 2^53
 * @param what  name of the value, for the message
 * @returns integer in [0, max]. Errors: ConfigError.
 */
export function parseDecimal(text: string, max: number, what: string): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) {
    throw new ConfigError(
      ConfigErrorCode.Number,
      `${what} ${quoteUnlessSecret(text)}`,
      `a decimal number from 0 to ${max}`,
    );
  }
  return value;
}

/** @returns 0–65535; 0 lets the kernel choose. Errors: ConfigError. */
export function parsePort(text: string): number {
  return parseDecimal(text, PORT_MAX, "port");
}

/** `fwmark=` of the UAPI. @returns 0–2^32-1; 0 is none. Errors: ConfigError. */
export function parseDecimalFwmark(text: string): number {
  return parseDecimal(text, FWMARK_MAX, "fwmark");
}

/** `FwMark =` of wg(8): decimal, hexadecimal with 0x, or "off" in any case. @returns 0–2^32-1. Errors: ConfigError. */
export function parseFwmark(text: string): number {
  if (text.toLowerCase() === "off") {
    return 0;
  }
  const value = /^(0x[0-9a-fA-F]+|[0-9]+)$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= FWMARK_MAX)) {
    throw new ConfigError(
      ConfigErrorCode.Number,
      `fwmark ${quoteUnlessSecret(text)}`,
      `a number from 0 to ${FWMARK_MAX}, decimal or 0x…, or off`,
    );
  }
  return value;
}

/** `persistent_keepalive_interval=` of the UAPI. @returns seconds, 0–65535; 0 is off. Errors: ConfigError. */
export function parseDecimalKeepalive(text: string): number {
  return parseDecimal(text, KEEPALIVE_S_MAX, "persistent keepalive");
}

/** `PersistentKeepalive =` of wg(8): seconds, or "off" in any case. @returns 0–65535. Errors: ConfigError. */
export function parseKeepalive(text: string): number {
  if (text.toLowerCase() === "off") {
    return 0;
  }
  if (!/^[0-9]+$/.test(text) || Number(text) > KEEPALIVE_S_MAX) {
    throw new ConfigError(
      ConfigErrorCode.Number,
      `persistent keepalive ${quoteUnlessSecret(text)}`,
      `seconds from 0 to ${KEEPALIVE_S_MAX}, or off`,
    );
  }
  return Number(text);
}
