// Values of a configuration file that wg(8) does not know: addresses, DNS, tables, endpoints by name, and those of [Daemon].

import { isAbsolute } from "node:path";
import { domainToASCII } from "node:url";
import { type InterfaceIndexLookup, parseEndpoint } from "./endpoint.js";
import { ConfigError, ConfigErrorCode } from "./errors.js";
import type { MetricsAddress, PeerEndpoint, TableChoice } from "./gateway-config.js";
import { formatIpAddress, parseIpv4, parseIpv6 } from "./ip-address.js";
import { parsePrefix } from "./prefix.js";
import { looksSecret, quoteUnlessSecret } from "./secret-text.js";

const MTU_MIN = 68; //  of IPv4, RFC 791
const MTU_MAX = 65_455; //  leaves room around a packet in the largest datagram
const TABLE_MAX = 0xffff_ffff;
const HOST_NAME_LENGTH_MAX = 253;
const UNIX_PATH_BYTES_MAX = 107;
const DEFAULT_PORT = 51820;
const ENDPOINT_FORM = "HOST:PORT, such as gateway.example.org:51820";

/** Tables that every Linux has by these names. */
const builtInTables: Readonly<Record<string, number>> = { default: 253, main: 254, local: 255 };

/** Number of a routing table by name, as iproute2 knows it; undefined: it has no such name. */
export type TableLookup = (name: string) => number | undefined;

/** `Address =`, one of it. Without a length it is a single host, as for ip(8). @returns canonical text, host bits kept. */
export function parseInterfaceAddress(text: string): string {
  const length = addressLength(text);
  const [address = ""] = text.split("/");
  const bytes = address.includes(":") ? parseIpv6(address) : parseIpv4(address);
  return `${formatIpAddress(bytes as Uint8Array)}/${length}`;
}

function addressLength(text: string): number {
  try {
    return parsePrefix(text, { bareAddress: true }).length;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const what = error.problem.replace(/^prefix/, "address");
    throw problem(what, "ADDRESS/LENGTH, such as 10.99.0.1/24 or fd00::1/64");
  }
}

/** `MTU =`. Errors: ConfigError. */
export function parseMtu(text: string): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= MTU_MIN && value <= MTU_MAX) return value;
  throw problem(`MTU ${quoteUnlessSecret(text)}`, `a decimal number from ${MTU_MIN} to ${MTU_MAX}`);
}

/** `DNS =`, one of it: an address is a server, anything else a search domain. Errors: ConfigError. */
export function parseDns(text: string): { readonly server: string } | { readonly search: string } {
  if (!/^[0-9.]+$/.test(text) && !text.includes(":")) {
    if (isSearchDomain(text)) return { search: text };
    throw problem(`DNS ${quoteUnlessSecret(text)}`, "the address of a server or a search domain");
  }
  const bytes = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  if (bytes === undefined)
    throw problem(`DNS ${quoteUnlessSecret(text)} is no IP address`, "an address such as 10.0.0.53 or fd00::53");
  return { server: formatIpAddress(bytes) };
}

/** `Table =`: auto, off, a number or a name. Errors: ConfigError. */
export function parseTable(text: string, lookup: TableLookup): TableChoice {
  const lower = text.toLowerCase();
  if (lower === "auto" || lower === "off") return lower;
  const value = /^(0x[0-9a-f]+|[0-9]+)$/.test(lower) ? Number(lower) : (builtInTables[lower] ?? lookup(text));
  if (value === undefined) {
    const cure = "auto, off, a number, or a name that /etc/iproute2/rt_tables has";
    throw problem(`table ${quoteUnlessSecret(text)}: no such routing table`, cure);
  }
  if (value < 1 || value > TABLE_MAX) {
    throw problem(`table ${quoteUnlessSecret(text)}`, `auto, off, or a number from 1 to ${TABLE_MAX}`);
  }
  return value;
}

/** `SaveConfig =`. Errors: ConfigError. */
export function parseBoolean(text: string, what: string): boolean {
  const lower = text.toLowerCase();
  if (lower !== "true" && lower !== "false") throw problem(`${what} ${quoteUnlessSecret(text)}`, "true or false");
  return lower === "true";
}

/** `Endpoint =`: as {@link parseEndpoint}, or a host name and a port. Errors: ConfigError. */
export function parsePeerEndpoint(text: string, interfaceIndex: InterfaceIndexLookup): PeerEndpoint {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon);
  const port = text.slice(colon + 1);
  const isPort = /^[0-9]+$/.test(port) && Number(port) <= 0xffff && Number(port) > 0;
  if (colon < 0 && isHostName(text)) throw endpointProblem(text, "no port", withPort(text));
  if (parseIpv6(host) !== undefined) {
    throw endpointProblem(text, "an IPv6 address needs brackets", `[${host}]:${isPort ? port : DEFAULT_PORT}`);
  }
  if (colon < 0 || host.startsWith("[") || /^[0-9a-f:.]*:[0-9a-f:.]*$|^[0-9.]*$/i.test(host)) {
    return { kind: "address", address: parseEndpoint(text, interfaceIndex) };
  }
  if (!isPort) throw endpointProblem(text, "no port from 1 to 65535 at the end", withPort(host));
  if (!isHostName(host)) {
    const ascii = domainToASCII(host);
    if (/[^\0-\x7f]/.test(host) && isHostName(ascii)) {
      throw endpointProblem(text, "a host name in a file is ASCII", `${ascii}:${port}`);
    }
    throw endpointProblem(text, "no host name or address before the port", ENDPOINT_FORM);
  }
  return { kind: "name", host, port: Number(port) };
}

/** What to write instead: this host with a port, unless it is no name, or could be a key. */
function withPort(host: string): string {
  return isHostName(host) && !looksSecret(host) ? `${host}:${DEFAULT_PORT}` : ENDPOINT_FORM;
}

/** `Metrics =`, one of it; `off` is not one. Errors: ConfigError. */
export function parseMetricsAddress(text: string): MetricsAddress {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (isAbsolute(path) && Buffer.byteLength(path) <= UNIX_PATH_BYTES_MAX) return { kind: "unix", path };
    throw problem(
      `metrics address ${quoteUnlessSecret(text)}`,
      `unix: and an absolute path of at most ${UNIX_PATH_BYTES_MAX} bytes`,
    );
  }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2] ?? "";
  const isHost = match?.[1] === undefined ? host === "localhost" || parseIpv4(host) : parseIpv6(host);
  if (match === null || !isHost || port < 1 || port > 0xffff) {
    throw problem(
      `metrics address ${quoteUnlessSecret(text)}`,
      "ADDRESS:PORT, such as 127.0.0.1:9586 or [::1]:9586, or unix:/PATH, or off",
    );
  }
  return { kind: "tcp", host, port };
}

/** One of a few words, in any case. Errors: ConfigError. */
export function parseChoice<T extends string>(text: string, choices: readonly T[], what: string): T {
  const choice = choices.find((name) => name === text.toLowerCase());
  if (choice === undefined) throw problem(`${what} ${quoteUnlessSecret(text)}`, `one of ${choices.join(", ")}`);
  return choice;
}

/** Errors: ConfigError. */
export function parseAbsolutePath(text: string, what: string): string {
  if (!isAbsolute(text))
    throw problem(`${what} ${quoteUnlessSecret(text)} is not absolute`, "a path that begins with /");
  return text;
}

/** RFC 1123, with the underscore that people use; the last label is not a number, or it were an address. */
function isHostName(text: string): boolean {
  const labels = text.replace(/\.$/, "").split(".");
  return (
    text.length <= HOST_NAME_LENGTH_MAX &&
    labels.every((label) => /^[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$/.test(label)) &&
    !/^[0-9]+$/.test(labels.at(-1) as string)
  );
}

/** A tilde is systemd-resolved's mark of a domain that is only for routing queries, `~.` of all of them. */
function isSearchDomain(text: string): boolean {
  const domain = text.replace(/^~/, "");
  return domain === "." || isHostName(domain);
}

function endpointProblem(text: string, what: string, expected: string): ConfigError {
  return new ConfigError(ConfigErrorCode.Endpoint, `endpoint ${quoteUnlessSecret(text)}: ${what}`, expected);
}

function problem(what: string, expected: string): ConfigError {
  return new ConfigError(ConfigErrorCode.File, what, expected);
}
