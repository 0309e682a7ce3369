// What a metric family is, before any format: its name, its labels, and how its values are read from the live counters.

import type { Peer } from "../core/device/peer.js";
import type { Statistics } from "../core/device/statistics.js";
import type { InterfaceFacts, StatusSource } from "./status-source.js";

export type MetricType = "counter" | "gauge" | "histogram";
export type LabelValues = Readonly<Record<string, string>>;

/** What docs/metrics.md has of a family. A counter's name ends in `_total`. */
export interface FamilyFacts {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** Names of the labels beside those that every family of its kind has. */
  readonly labels: readonly string[];
}

export interface Sample {
  readonly labels: LabelValues;
  readonly value: number;
  /** Of a histogram: `_bucket`, `_sum` or `_count`. */
  readonly suffix?: string;
}

/** One family of the interface, the process or the build. `interface` is the label that all have. */
export interface DeviceFamily extends FamilyFacts {
  readonly samples: (reading: DeviceReading) => readonly Sample[];
}

export interface DeviceReading {
  readonly source: StatusSource;
  readonly statistics: Statistics;
  readonly facts: InterfaceFacts;
  readonly problems: readonly string[];
}

/** One family with one value a peer. Labels that all have: `interface`, `public_key` and, of a peer with a name, `friendly_name`. */
export interface PeerFamily extends FamilyFacts {
  /** Which labels beside those that all have: a list of AllowedIPs, or an endpoint. */
  readonly detail?: "allowed_ips" | "endpoint";
  /** @returns NaN: this peer has no such value now */
  readonly value: (peer: Peer, statistics: Statistics) => number;
}
