import { setImmediate as nextRound } from "node:timers/promises";
import { expect, test } from "vitest";
import { LOOP_BOUNDS_MS, LoopCell } from "../../src/core/device/loop-statistics.js";
import { PeerBytes } from "../../src/core/device/peer.js";
import { DropReason, dropReasonNames } from "../../src/core/drop-reason.js";
import { PathCell } from "../../src/core/transport/path-quality.js";
import { deviceFamilies } from "../../src/metrics/device-families.js";
import { exposition, negotiate } from "../../src/metrics/exposition.js";
import { peerFamilies } from "../../src/metrics/peer-families.js";
import { collect, testSource, WALL_MS } from "./source.js";

const families = [...deviceFamilies, ...peerFamilies];

interface Parsed {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A parser of its own, strict: comments first, families in one piece, labels escaped. */
function parse(text: string): Parsed[] {
  const samples: Parsed[] = [];
  const seen = new Set<string>();
  let family = "";
  for (const line of text.split("\n")) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment?.[1] === "HELP") {
      family = comment[2]!;
      expect(seen, "a family comes once").not.toContain(family);
      seen.add(family);
    }
    if (comment !== null || line === "" || line === "# EOF") continue;
    const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)$/.exec(line);
    expect(match, line).not.toBeNull();
    const [, name, labelText = "", value] = match!;
    expect(name!.startsWith(family), `${name} belongs to ${family}`).toBe(true);
    const pairs = [...labelText.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/g)];
    expect(pairs.map(([whole]) => whole).join(""), line).toBe(labelText);
    samples.push({
      name: name!,
      labels: Object.fromEntries(pairs.map(([, key, escaped]) => [key, JSON.parse(`"${escaped}"`)])),
      value: Number(value!.replace("Inf", "Infinity")),
    });
  }
  return samples;
}

test("existing dashboards find their names and labels", async () => {
  const source = await testSource(1);
  const [peer] = source.peers;
  const publicKey = Buffer.from(peer.publicKey).toString("base64");
  source.names.set(publicKey, "Lisbon");
  peer.bytes[PeerBytes.Sent] = 148;
  peer.bytes[PeerBytes.Received] = 2 ** 40;
  peer.lastHandshakeWallMs = WALL_MS;
  const samples = parse(await collect(exposition(source, "prometheus")));
  const labels = {
    interface: "wg0",
    public_key: publicKey,
    friendly_name: "Lisbon",
    allowed_ips: "10.0.0.0/32,fd00::a00:0/128",
  };
  expect(samples.filter(({ name }) => name.startsWith("wireguard_"))).toEqual([
    { name: "wireguard_sent_bytes_total", labels, value: 148 },
    { name: "wireguard_received_bytes_total", labels, value: 2 ** 40 },
    { name: "wireguard_latest_handshake_seconds", labels, value: WALL_MS / 1_000 },
  ]);
});

test("every reason is there from the start, and the counters show in it", async () => {
  const source = await testSource(1);
  source.statistics.ledger.lostBeforeInbound(DropReason.SocketOverflow, 3);
  source.peers[0].statistics.path[PathCell.Lost] = 9;
  const samples = parse(await collect(exposition(source, "prometheus")));
  const drops = samples.filter(({ name }) => name === "longhaul_dropped_packets_total");
  expect(drops.map(({ labels }) => labels["reason"])).toEqual(dropReasonNames.slice(1));
  const value = (name: string, some: object): number | undefined =>
    samples.find((sample) => sample.name === name && Object.entries(some).every(([k, v]) => sample.labels[k] === v))
      ?.value;
  expect(value("longhaul_dropped_packets_total", { reason: "socket_overflow", direction: "inbound" })).toBe(3);
  expect(value("longhaul_dropped_packets_total", { reason: "no_route", direction: "outbound" })).toBe(0);
  expect(value("longhaul_kernel_lost_packets_total", { place: "socket_buffer" })).toBe(3);
  expect(value("longhaul_unaccounted_packets", { direction: "inbound" })).toBe(0);
  expect(value("longhaul_path_lost_packets_total", {})).toBe(9);
});

test("what is not known has no sample: no round trip is not a round trip of 0", async () => {
  const source = await testSource(2);
  source.peers[1].statistics.roundTrip(81, 0);
  const samples = parse(await collect(exposition(source, "prometheus")));
  const times = samples.filter(({ name }) => name === "longhaul_path_round_trip_seconds");
  expect(times.map(({ value }) => value)).toEqual([0.081]);
});

test("histograms are cumulative and end in +Inf", async () => {
  const source = await testSource(0);
  const { loop } = source.statistics;
  loop.turns[0] = 5;
  loop.turns[LOOP_BOUNDS_MS.length] = 2;
  loop.cells[LoopCell.TurnMsSum] = 1_500;
  const samples = parse(await collect(exposition(source, "prometheus")));
  const turn = samples.filter(({ name }) => name.startsWith("longhaul_loop_turn_seconds"));
  expect(turn[0]).toEqual({
    name: "longhaul_loop_turn_seconds_bucket",
    labels: { le: "0.0001", interface: "wg0" },
    value: 5,
  });
  expect(turn.slice(-4).map(({ name, labels, value }) => [name, labels["le"], value])).toEqual([
    ["longhaul_loop_turn_seconds_bucket", "1.0", 5], //  OpenMetrics: not "1"
    ["longhaul_loop_turn_seconds_bucket", "+Inf", 7],
    ["longhaul_loop_turn_seconds_sum", undefined, 1.5],
    ["longhaul_loop_turn_seconds_count", undefined, 7],
  ]);
});

test.each(["plain", 'a "quote"', "back\\slash", "new\nline", "tab\t}{=,", "Ωmega ☂", '\\"\n\\n'])(
  "a name in a label comes back as it was: %j",
  async (name) => {
    const source = await testSource(1);
    source.names.set(Buffer.from(source.peers[0].publicKey).toString("base64"), name);
    const text = await collect(exposition(source, "openmetrics"));
    const sample = text.split("\n").find((line) => line.startsWith("longhaul_peer_info{"))!;
    const escaped = /friendly_name="((?:[^"\\\n]|\\["\\n])*)"/.exec(sample)![1]!;
    expect(escaped.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c))).toBe(name);
  },
);

test("OpenMetrics: counters lose their suffix in the header, and the text has an end", async () => {
  const source = await testSource(1);
  const text = await collect(exposition(source, "openmetrics"));
  expect(text.endsWith("\n# EOF\n")).toBe(true);
  expect(text).toContain("# TYPE wireguard_sent_bytes counter\nwireguard_sent_bytes_total{");
  expect(text).not.toMatch(/^# TYPE \S+_total /m);
  expect(text).not.toMatch(/ Nan$/m);
  const classic = await collect(exposition(source, "prometheus"));
  expect(classic).toContain("# TYPE wireguard_sent_bytes_total counter\nwireguard_sent_bytes_total{");
  expect(classic).not.toContain("# EOF");
  const names = (samples: Parsed[]): string[] => samples.map(({ name }) => name);
  expect(names(parse(text))).toEqual(names(parse(classic)));
});

test("series grow by a fixed number a peer, and nothing that strangers send makes one", async () => {
  const count = async (peers: number): Promise<number> => {
    const source = await testSource(peers);
    for (const peer of source.peers) peer.statistics.roundTrip(1, 0);
    source.statistics.refusals.add(DropReason.UnknownPeer, new Uint8Array(64), 0, 0);
    return parse(await collect(exposition(source, "prometheus"))).length;
  };
  const [none, one, many] = [await count(0), await count(1), await count(300)];
  expect(one - none).toBe(peerFamilies.length);
  expect(many - none).toBe(300 * peerFamilies.length);
  expect(peerFamilies.length).toBeLessThanOrEqual(32);
  expect(none).toBeLessThan(250);
});

test("only the info metric knows an endpoint, and labels are bounded", async () => {
  const source = await testSource(1);
  const allowedIps = Array.from({ length: 2_000 }, (_, i) => ({
    prefix: { family: 4 as const, bytes: Uint8Array.from([11, i >> 8, i & 255, 0]), length: 24 },
    remove: false,
  }));
  source.device.configure({ peers: [{ publicKey: source.peers[0].publicKey, allowedIps }] }, 0);
  source.names.set(Buffer.from(source.peers[0].publicKey).toString("base64"), "x".repeat(5_000));
  const text = await collect(exposition(source, "prometheus"));
  const withEndpoint = parse(text).filter(({ labels }) => Object.values(labels).some((v) => v.includes("192.0.2.")));
  expect(withEndpoint.map(({ name }) => name)).toEqual(["longhaul_peer_info"]);
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(1_500);
  expect(text).toContain(",…");
});

test("others get their turn between the pieces of a long text", async () => {
  const source = await testSource(1_000);
  let rounds = 0;
  let isOver = false;
  const others = (async () => {
    while (!isOver) {
      await nextRound();
      rounds++;
    }
  })();
  let longest = 0;
  let pieces = 0;
  for await (const piece of exposition(source, "prometheus")) {
    longest = Math.max(longest, piece.split("\n").length);
    pieces++;
  }
  isOver = true;
  await others;
  expect(longest).toBeLessThan(200);
  expect(rounds).toBeGreaterThanOrEqual(Math.floor((pieces - deviceFamilies.length) * 0.9));
});

test("a peer that goes while it is told of, and one that comes, do no harm", async () => {
  const source = await testSource(300);
  const pieces = exposition(source, "prometheus");
  for (let i = 0; i < deviceFamilies.length + 3; i++) await pieces.next();
  source.device.configure({ peers: [{ publicKey: source.peers[299].publicKey, remove: true, allowedIps: [] }] }, 0);
  source.device.configure({ peers: [{ publicKey: new Uint8Array(32).fill(77), allowedIps: [] }] }, 0);
  const rest = await collect(pieces);
  expect(rest.match(/^longhaul_peer_staged_packets\{/gm)).toHaveLength(300);
});

test("names are those of promlint: base units, counters end in _total, help ends in a full stop", () => {
  for (const { name, type, help, labels } of families) {
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    expect(help, name).toMatch(/^[A-Z0-9].*\.$/);
    expect(name).not.toMatch(/_(ms|millis|milliseconds|kb|mb|bits|percent|count|sum|bucket)(_|$)/);
    for (const label of labels) expect(label).toMatch(/^[a-z][a-z_]*$/);
  }
  expect(new Set(families.map(({ name }) => name)).size).toBe(families.length);
});

const prometheus242 =
  "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
test.each([
  [undefined, "prometheus"],
  ["", "prometheus"],
  ["*/*", "prometheus"],
  ["text/plain", "prometheus"],
  ["text/html,application/xhtml+xml,*/*;q=0.8", "prometheus"],
  [prometheus242, "openmetrics"],
  ["application/openmetrics-text", "openmetrics"],
  ["Application/OpenMetrics-Text; Version=1.0.0", "openmetrics"],
  ["application/openmetrics-text;q=0.2,text/plain;q=0.9", "prometheus"],
  ["application/openmetrics-text;q=0", "prometheus"],
  ["application/openmetrics-text;version=2.0.0", "prometheus"],
  ["application/openmetrics-text;q=banana", "prometheus"],
  [",;,;;q=,", "prometheus"],
] as const)("Accept: %s → %s", (accept, format) => {
  expect(negotiate(accept)).toBe(format);
});
