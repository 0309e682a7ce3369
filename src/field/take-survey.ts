// The order of `longhaul bench`: what is asked first, what is measured next. About half a minute.

import { setTimeout as sleep } from "node:timers/promises";
import type { EndFacts } from "./end-facts.js";
import { askFarEnd } from "./far-end.js";
import { datagramLoss, FarEndError, longestPacket, type Pings, ping, tcp } from "./probes.js";
import { type DirectionSurvey, type HostLoad, loadBetween, type Survey } from "./survey.js";

export interface SurveyOptions {
  readonly interfaceName: string;
  /** Of the far host in the tunnel. */
  readonly address: string;
  /** Of the far host outside the tunnel; null: not known yet. */
  readonly endpointAddress: string | null;
  readonly port: number;
  readonly streams: number;
  /** Of one TCP load. */
  readonly seconds: number;
  /** Measures TCP outside the tunnel too: the far iperf3 must be reachable there. */
  readonly underlay: boolean;
  readonly readNear: () => Promise<EndFacts>;
  readonly say: (text: string) => void;
}

const IDLE_PINGS = 20;
/** What TCP left in buffers and queues goes first: it is not the path that loses packets behind it. */
const DRAIN_MS = 1_500;
const PROBE_SECONDS = 3;
const PROBE_BITS_MAX = 20e6;
const PROBE_BITS_MIN = 1e6;
const PROBE_SHARE = 0.25;

/** Measures. Errors: FarEndError, saying what to start on the far host; UapiError; ProgramMissingError. */
export async function takeSurvey(options: SurveyOptions): Promise<Survey> {
  const { address, say, streams } = options;
  say(`pings to ${address}`);
  const idle = await ping(address, IDLE_PINGS);
  if (idle.medianMs === null) {
    throw new FarEndError(
      `${address} answers no pings through ${options.interfaceName}: is the tunnel up? wg show tells`,
    );
  }
  const outside = options.endpointAddress === null ? null : await ping(options.endpointAddress, IDLE_PINGS);
  const near = await options.readNear();
  const far = await askFarEnd(address, options.port);
  if (far === null) say("the far host tells nothing of itself; `longhaul bench --serve` there would");
  say("longest packet");
  const longest = await longestPacket(address, near.mtu);
  const common = {
    ...{ address, streams, roundTripMs: idle.medianMs, underlayRoundTripMs: outside?.medianMs ?? null },
    ...{ longestPacket: longest, near, far },
  };
  if (longest !== null) return { ...common, loadedRoundTripMs: null, forward: null, backward: null };
  const forward = await measureDirection(options, false);
  const backward = await measureDirection(options, true);
  return { ...common, loadedRoundTripMs: forward.loaded, forward: forward.way, backward: backward.way };
}

async function measureDirection(
  options: SurveyOptions,
  backward: boolean,
): Promise<{ way: DirectionSurvey; loaded: number | null }> {
  const { address, port, streams, seconds, say } = options;
  const way = backward ? "from there" : "to there";
  const before = await bothEnds(options);
  say(`TCP ${way}, one stream`);
  const one = await tcp(address, { port, seconds, backward, streams: 1 });
  say(`TCP ${way}, ${streams} streams, and pings beside them`);
  const [many, beside] = await Promise.all([
    tcp(address, { port, seconds, backward, streams }),
    ping(address, seconds * 10),
  ]);
  const busy = await bothEnds(options);
  await sleep(DRAIN_MS);
  const after = await bothEnds(options);
  say(`datagrams ${way}`);
  const bitsPerSecond = Math.min(PROBE_BITS_MAX, Math.max(PROBE_BITS_MIN, PROBE_SHARE * many.bitsPerSecond));
  const lost = await probeLoss(options, backward, bitsPerSecond);
  const probed = await bothEnds(options);
  const loads = { near: loadBetween(before.near, busy.near), far: loadBetween(before.far, busy.far) };
  const probe = [loadBetween(after.near, probed.near), loadBetween(after.far, probed.far)];
  return {
    loaded: (beside as Pings).medianMs,
    way: {
      ...{ oneStream: one.bitsPerSecond, manyStreams: many.bitsPerSecond },
      retransmits: one.retransmits + many.retransmits,
      underlay: await measureUnderlay(options, backward),
      ...{ loss: lost.loss, lossPackets: lost.packets },
      sender: backward ? loads.far : loads.near,
      receiver: backward ? loads.near : loads.far,
      probeDrops: probe.reduce((sum, load) => sum + dropsOf(load), 0),
    },
  };
}

/** iperf3 begins with one datagram each way, and waits for ever when one is lost: then the loss is not known. */
async function probeLoss(
  { address, port, say }: SurveyOptions,
  backward: boolean,
  bitsPerSecond: number,
): Promise<{ loss: number | null; packets: number }> {
  try {
    return await datagramLoss(address, { port, backward, bitsPerSecond, seconds: PROBE_SECONDS });
  } catch (error) {
    if (!(error instanceof FarEndError)) throw error;
    say(`no datagrams: ${error.message}`);
    return { loss: null, packets: 0 };
  }
}

function dropsOf(load: HostLoad | null): number {
  return load === null ? 0 : load.tunDrops + load.anySocketDrops;
}

async function bothEnds(options: SurveyOptions): Promise<{ near: EndFacts; far: EndFacts | null }> {
  return { near: await options.readNear(), far: await askFarEnd(options.address, options.port) };
}

async function measureUnderlay(options: SurveyOptions, backward: boolean): Promise<number | null> {
  const { endpointAddress, port, streams, seconds, say } = options;
  if (!options.underlay || endpointAddress === null) return null;
  say(`TCP ${backward ? "from there" : "to there"} outside the tunnel`);
  try {
    return (await tcp(endpointAddress, { port, seconds, backward, streams })).bitsPerSecond;
  } catch (error) {
    if (!(error instanceof FarEndError)) throw error;
    say(
      `not measured: ${error.message}; the far host must run longhaul bench --serve --underlay, its firewall agreeing`,
    );
    return null;
  }
}
