// CIDR prefixes as text.

import type { Prefix } from "../core/device/update.js";
import { ConfigError, ConfigErrorCode } from "./errors.js";
import { formatIpAddress, parseIpv4, parseIpv6 } from "./ip-address.js";
import { quoteUnlessSecret } from "./secret-text.js";

export interface PrefixSyntax {
  /** Whether an address without "/" is that one host, as wg(8) has it; the UAPI refuses it. */
  readonly bareAddress: boolean;
}

/**
 * Reads `192.0.2.0/24` or `2001:db8::/32`; bits behind the length are masked off.
 * @returns a prefix with its own bytes. Errors: ConfigError.
 */
export function parsePrefix(text: string, syntax: PrefixSyntax = { bareAddress: false }): Prefix {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const family = address.includes(":") ? 6 : 4;
  const bytes = family === 6 ? parseIpv6(address) : parseIpv4(address);
  if (bytes === undefined) {
    throw malformed(text, "no IPv4 or IPv6 address in front of the slash");
  }
  const lengthMax = family === 6 ? 128 : 32;
  if (slash < 0) {
    if (!syntax.bareAddress) {
      throw malformed(text, "no prefix length");
    }
    return { family, bytes, length: lengthMax };
  }
  const lengthText = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(lengthText) || Number(lengthText) > lengthMax) {
    throw malformed(text, `the length is not a number from 0 to ${lengthMax}`);
  }
  const length = Number(lengthText);
  maskHostBits(bytes, length);
  return { family, bytes, length };
}

/** @returns `address/length`. Throws nothing. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatIpAddress(prefix.bytes)}/${prefix.length}`;
}

function maskHostBits(bytes: Uint8Array, length: number): void {
  const whole = length >> 3;
  if (whole < bytes.length) {
    bytes[whole] &= 0xff00 >> (length & 7);
    bytes.fill(0, whole + 1);
  }
}

function malformed(text: string, problem: string): ConfigError {
  return new ConfigError(
    ConfigErrorCode.Prefix,
    `prefix ${quoteUnlessSecret(text)}: ${problem}`,
    "ADDRESS/LENGTH, such as 192.0.2.0/24 or 2001:db8::/32",
  );
}
