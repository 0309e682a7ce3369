// UDP endpoints as text, numeric addresses only: resolving host names is not this layer's.

import type { EndpointAddress } from "../core/device/update.js";
import { ConfigError, ConfigErrorCode } from "./errors.js";
import { formatIpAddress, isIpv4Mapped, parseIpv4, parseIpv6 } from "./ip-address.js";
import { quoteUnlessSecret } from "./secret-text.js";

/** @param name  of an interface. @returns its index, or 0 when there is none of that name. */
export type InterfaceIndexLookup = (name: string) => number;

const SCOPE_ID_MAX = 0xffff_ffff;

/**
 * Reads `192.0.2.1:51820`, `[2001:db8::1]:51820` or `[fe80::1%eth0]:51820` (scope by name or index).
 * An IPv4 address in IPv6 clothes becomes IPv4: the sockets are of one family each.
 * @returns an endpoint with its own bytes. Errors: ConfigError.
 */
export function parseEndpoint(text: string, interfaceIndex: InterfaceIndexLookup): EndpointAddress {
  const colon = text.lastIndexOf(":");
  const portText = text.slice(colon + 1);
  if (colon < 0 || !/^[0-9]+$/.test(portText) || Number(portText) > 0xffff || Number(portText) === 0) {
    throw malformed(text, "no port from 1 to 65535 at the end");
  }
  const port = Number(portText);
  const host = text.slice(0, colon);
  if (!host.startsWith("[")) {
    const bytes = parseIpv4(host);
    if (bytes === undefined) {
      throw malformed(text, host.includes(":") ? "an IPv6 address needs brackets" : "no numeric IPv4 address");
    }
    return { family: 4, bytes, port, scopeId: 0 };
  }
  if (!host.endsWith("]")) {
    throw malformed(text, "no closing bracket before the port");
  }
  const percent = host.indexOf("%");
  const bytes = parseIpv6(host.slice(1, percent < 0 ? -1 : percent));
  if (bytes === undefined) {
    throw malformed(text, "no IPv6 address in the brackets");
  }
  const scopeId = percent < 0 ? 0 : parseScope(host.slice(percent + 1, -1), text, interfaceIndex);
  if (isIpv4Mapped(bytes)) {
    return { family: 4, bytes: bytes.subarray(12), port, scopeId: 0 };
  }
  return { family: 6, bytes, port, scopeId };
}

/** The scope is written as its index, which needs no look-up and is what wg(8) reads too. Throws nothing. */
export function formatEndpoint(endpoint: EndpointAddress): string {
  const address = formatIpAddress(endpoint.bytes);
  if (endpoint.family === 4) {
    return `${address}:${endpoint.port}`;
  }
  const scope = endpoint.scopeId === 0 ? "" : `%${endpoint.scopeId}`;
  return `[${address}${scope}]:${endpoint.port}`;
}

/** As if_nametoindex(3) then a number: an interface may be called "3". */
function parseScope(scope: string, text: string, interfaceIndex: InterfaceIndexLookup): number {
  if (scope === "") {
    throw malformed(text, "nothing after the %");
  }
  const index = interfaceIndex(scope);
  if (index > 0) {
    return index;
  }
  if (/^[0-9]+$/.test(scope) && Number(scope) > 0 && Number(scope) <= SCOPE_ID_MAX) {
    return Number(scope);
  }
  throw new ConfigError(
    ConfigErrorCode.UnknownInterface,
    `endpoint ${quoteUnlessSecret(text)}: no interface ${quoteUnlessSecret(scope)} here`,
    "the name or index of an interface after the %, as ip link lists them",
  );
}

function malformed(text: string, problem: string): ConfigError {
  return new ConfigError(
    ConfigErrorCode.Endpoint,
    `endpoint ${quoteUnlessSecret(text)}: ${problem}`,
    "ADDRESS:PORT, such as 192.0.2.1:51820 or [2001:db8::1]:51820",
  );
}
