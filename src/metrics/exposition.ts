// /metrics as text, in the format that the scraper asked for. Built a family and a few hundred peers at a time, with the event
// loop free in between, and never held as a whole: with 10,000 peers it is tens of megabytes.

import { createRequire } from "node:module";
import { setImmediate as nextRound } from "node:timers/promises";
import type { Metric } from "prom-client";
import { formatEndpoint } from "../config/endpoint.js";
import { formatBase64Key } from "../config/key.js";
import { formatPrefix } from "../config/prefix.js";
import type { Peer } from "../core/device/peer.js";
import { deviceFamilies } from "./device-families.js";
import type { DeviceReading, FamilyFacts, LabelValues } from "./family.js";
import { peerFamilies } from "./peer-families.js";
import type { StatusSource } from "./status-source.js";

/** The part that knows formats, alone: the whole package would make every start of a daemon a twentieth of a second longer. */
const Registry = createRequire(import.meta.url)("prom-client/lib/registry") as typeof import("prom-client").Registry;

/** Peers whose samples are formatted before others get their turn: a fraction of a millisecond. */
const SLICE_PEERS = 128;
/** The same of the device's families, by code that nothing has compiled yet. */
const SLICE_FAMILIES = 8;
/** AllowedIPs in a label; a longer list ends in an ellipsis. */
const ALLOWED_IPS_MAX = 32;
/** Characters of a name in a label. */
const NAME_CHARACTERS_MAX = 128;

export type ExpositionFormat = "prometheus" | "openmetrics";

export const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  prometheus: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
};

/** A sample as prom-client formats it. */
interface FormattedSample {
  readonly metricName?: string;
  readonly value: number;
  readonly labels: LabelValues;
  /** prom-client remembers the text of each such object until a full collection: there must be one for all. */
  readonly sharedLabels: typeof NONE_SHARED;
}

const NONE_SHARED = Object.freeze({});

/** @returns the text in pieces. What they tell of a peer is of the moment at which its piece was made. */
export async function* exposition(source: StatusSource, format: ExpositionFormat): AsyncGenerator<string> {
  const writer = new FamilyWriter(format);
  source.statistics.refresh();
  const facts = source.facts();
  const reading: DeviceReading = { source, statistics: source.statistics, facts, problems: source.problems() };
  // All are read at one moment, so that what entered is what left; formatting them takes longest in the first scrape.
  const read = deviceFamilies.map((family) => [family, family.samples(reading)] as const);
  for (const [i, [family, samples]] of read.entries()) {
    if (i % SLICE_FAMILIES === 0) await nextRound();
    const formatted = samples.map(({ labels, value, suffix }) => ({
      value,
      labels: { interface: facts.name, ...labels },
      sharedLabels: NONE_SHARED,
      ...(suffix === undefined ? {} : { metricName: family.name + suffix }),
    }));
    yield await writer.write(family, formatted);
  }
  yield* peerText(source, facts.name, writer);
  yield writer.end();
}

/** Escaping labels is most of the work: those that all families share are kept as text, and nothing else is. */
async function* peerText(source: StatusSource, interfaceName: string, writer: FamilyWriter): AsyncGenerator<string> {
  const { statistics } = source;
  const peers = [...statistics.peers()];
  const plain: string[] = [];
  for (const slice of slices(peers)) {
    await nextRound();
    for (const peer of slice) statistics.settlePath(peer);
    plain.push(...(await writer.labelTexts(slice.map((peer) => plainLabels(source, interfaceName, peer)))));
  }
  for (const family of peerFamilies) {
    const { detail } = family;
    yield await writer.write(family, []);
    let at = 0;
    for (const slice of slices(peers)) {
      await nextRound();
      const first = at;
      at += slice.length;
      const texts =
        detail === undefined
          ? plain.slice(first, at)
          : await writer.labelTexts(
              slice.map((peer) => ({
                ...plainLabels(source, interfaceName, peer),
                [detail]: details[detail](source, peer),
              })),
            );
      let lines = "";
      slice.forEach((peer, i) => {
        const value = family.value(peer, statistics);
        if (!Number.isNaN(value)) lines += `${family.name}${texts[i]} ${value}\n`;
      });
      yield lines;
    }
  }
}

function* slices(peers: readonly Peer[]): Generator<readonly Peer[]> {
  for (let first = 0; first < peers.length; first += SLICE_PEERS) yield peers.slice(first, first + SLICE_PEERS);
}

function plainLabels(source: StatusSource, interfaceName: string, peer: Peer): LabelValues {
  const publicKey = formatBase64Key(peer.publicKey);
  const name = source.friendlyName(publicKey)?.slice(0, NAME_CHARACTERS_MAX);
  const labels = { interface: interfaceName, public_key: publicKey };
  return name === undefined ? labels : { ...labels, friendly_name: name };
}

const details = {
  allowed_ips: (source: StatusSource, peer: Peer): string => {
    const prefixes: string[] = [];
    const count = source.allowedIpsOf(peer, ALLOWED_IPS_MAX, (prefix) => prefixes.push(formatPrefix(prefix)));
    if (count > prefixes.length) prefixes.push("…");
    return prefixes.join(",");
  },
  endpoint: (source: StatusSource, peer: Peer): string => {
    const endpoint = source.endpointOf(peer);
    return endpoint === undefined ? "" : formatEndpoint(endpoint);
  },
} as const;

/** Of prom-client, before the samples: help and type. */
const HEADER_LINES = 2;

/** Formats pieces of families by prom-client, which knows the two formats and their escapes. */
class FamilyWriter {
  readonly #registry: InstanceType<typeof Registry>;
  readonly #isOpenMetrics: boolean;

  constructor(format: ExpositionFormat) {
    this.#isOpenMetrics = format === "openmetrics";
    const registry = new Registry();
    if (this.#isOpenMetrics) registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
    this.#registry = registry;
  }

  /** The lines of help and type, and a line a sample. */
  async write(family: FamilyFacts, values: readonly FormattedSample[]): Promise<string> {
    const isCounter = family.type === "counter";
    const name = isCounter && this.#isOpenMetrics ? family.name.replace(/_total$/, "") : family.name;
    return `${await this.#format(name, family.help, family.type, values)}\n`;
  }

  /** @returns `{name="value",…}` of each, escaped */
  async labelTexts(labels: readonly LabelValues[]): Promise<string[]> {
    const samples = labels.map((one) => ({ labels: one, sharedLabels: NONE_SHARED, value: 0 }));
    const lines = (await this.#format("x", "", "gauge", samples)).split("\n");
    return lines.slice(HEADER_LINES).map((line) => line.slice("x".length, -" 0".length));
  }

  #format(name: string, help: string, type: string, values: readonly FormattedSample[]): Promise<string> {
    const metric = { name, get: () => ({ name, help, type, values, aggregator: "sum" }) };
    this.#registry.clear();
    this.#registry.registerMetric(metric as unknown as Metric);
    return this.#registry.getSingleMetricAsString(name);
  }

  end(): string {
    return this.#isOpenMetrics ? "# EOF\n" : "";
  }
}

/**
 * What the scraper prefers. Source: RFC 9110 section 12.5.1.
 * @param accept  the header; undefined: anything
 */
export function negotiate(accept: string | undefined): ExpositionFormat {
  let openMetrics = 0;
  let text = 0;
  for (const part of (accept ?? "").toLowerCase().split(",")) {
    const [type, ...parameters] = part.split(";").map((word) => word.trim());
    const q = parameters.find((parameter) => parameter.startsWith("q="));
    const quality = q === undefined ? 1 : Number(q.slice(2));
    const version = parameters.find((parameter) => parameter.startsWith("version="));
    if (type === "application/openmetrics-text" && (version === undefined || version === "version=1.0.0")) {
      openMetrics = Math.max(openMetrics, quality);
    }
    if (type === "text/plain" || type === "text/*" || type === "*/*") text = Math.max(text, quality);
  }
  return openMetrics > 0 && openMetrics >= text ? "openmetrics" : "prometheus";
}
