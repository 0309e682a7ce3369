// Names of network interfaces.

import { ConfigError, ConfigErrorCode } from "./errors.js";
import { quoteUnlessSecret } from "./secret-text.js";

/** IFNAMSIZ without its terminating zero. */
export const INTERFACE_NAME_BYTES_MAX = 15;

/**
 * Accepts what Linux accepts (dev_valid_name: no "/", no ":", no white space, neither "." nor ".."), further limited to
 * the characters that wg-quick(8) accepts, so that every tool can address the interface; "%" would be a pattern to TUN.
 * @returns the name as given. Errors: ConfigError.
 */
export function parseInterfaceName(text: string): string {
  const problem = findProblem(text);
  if (problem !== undefined) {
    throw new ConfigError(
      ConfigErrorCode.InterfaceName,
      `interface name ${quoteUnlessSecret(text)}: ${problem}`,
      `1 to ${INTERFACE_NAME_BYTES_MAX} of the characters a-z A-Z 0-9 _ = + . -, such as wg0`,
    );
  }
  return text;
}

function findProblem(text: string): string | undefined {
  if (text.length === 0) {
    return "empty";
  }
  if (text === "." || text === "..") {
    return "a directory";
  }
  if (!/^[a-zA-Z0-9_=+.-]+$/.test(text)) {
    return "a character that is not allowed";
  }
  return text.length > INTERFACE_NAME_BYTES_MAX ? `${text.length} characters` : undefined;
}
