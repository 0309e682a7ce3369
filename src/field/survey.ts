// What was measured between two gateways: plain data, from which verdict.ts draws its conclusions.

import type { EndFacts } from "./end-facts.js";

/** What happened on one host while something was measured. */
export interface HostLoad {
  readonly seconds: number;
  readonly tunDrops: number;
  readonly socketDrops: number;
  readonly anySocketDrops: number;
  /** Of all cores, 0 to 1. */
  readonly busyShare: number;
  /** Of the daemon's time: on a processor, and waiting for one. Null: not known. */
  readonly daemonRunShare: number | null;
  readonly daemonWaitShare: number | null;
  /** Packets that longhaul refused, by reason; null: another daemon. */
  readonly refused: Readonly<Record<string, number>> | null;
}

/** One direction of the tunnel. */
export interface DirectionSurvey {
  /** TCP payload, bits a second, without the first second. */
  readonly oneStream: number;
  readonly manyStreams: number;
  readonly retransmits: number;
  /** Outside the tunnel; null: not measured. */
  readonly underlay: number | null;
  /** Of datagrams sent well below the rate, 0 to 1; null: none came at all. */
  readonly loss: number | null;
  readonly lossPackets: number;
  /** While TCP ran, and while the datagrams did. Far ends that do not tell are null. */
  readonly sender: HostLoad | null;
  readonly receiver: HostLoad | null;
  /** Of these datagrams, those that either host dropped. */
  readonly probeDrops: number;
}

export interface Survey {
  readonly address: string;
  readonly streams: number;
  /** Through the tunnel, idle; ms. */
  readonly roundTripMs: number;
  /** Outside the tunnel; null: the endpoint answers no pings. */
  readonly underlayRoundTripMs: number | null;
  /** While many streams ran towards the far end; ms, median. */
  readonly loadedRoundTripMs: number | null;
  /** Longest inner packet that came through, when that is less than the interface's MTU. */
  readonly longestPacket: number | null;
  readonly near: EndFacts;
  /** Null: `longhaul bench --serve` does not run there. */
  readonly far: EndFacts | null;
  /** Null when long packets do not pass: TCP would stand still. */
  readonly forward: DirectionSurvey | null;
  readonly backward: DirectionSurvey | null;
}

/** The same with hosts that say which end they are: their names may be alike, and the reader sits at one of them. */
export function labelled(survey: Survey): Survey {
  const { near, far } = survey;
  return {
    ...survey,
    near: { ...near, hostname: `${near.hostname} (here)` },
    far: far && { ...far, hostname: `${far.hostname} (there)` },
  };
}

/** @returns the share of the probe's datagrams that the path lost, neither host; null: none came at all */
export function pathLoss({ loss, lossPackets, probeDrops }: DirectionSurvey): number | null {
  if (loss === null || lossPackets === 0) return null;
  return Math.max(0, loss * lossPackets - probeDrops) / lossPackets;
}

/** What happened between two readings of one end. */
export function loadBetween(before: EndFacts | null, after: EndFacts | null): HostLoad | null {
  if (before === null || after === null) return null;
  const seconds = (after.totalSeconds - before.totalSeconds) / Math.max(1, after.cores);
  const share = (spent: number): number => (seconds <= 0 ? 0 : spent / seconds);
  const daemon = after.daemon === null || before.daemon === null ? null : [before.daemon, after.daemon];
  return {
    seconds,
    tunDrops: after.tunDrops - before.tunDrops,
    socketDrops: after.socketDrops - before.socketDrops,
    anySocketDrops: after.anySocketDrops - before.anySocketDrops,
    busyShare: share((after.busySeconds - before.busySeconds) / Math.max(1, after.cores)),
    daemonRunShare: daemon && share(daemon[1].runSeconds - daemon[0].runSeconds),
    daemonWaitShare: daemon && share(daemon[1].waitSeconds - daemon[0].waitSeconds),
    refused: refusedBetween(before.refused, after.refused),
  };
}

function refusedBetween(before: EndFacts["refused"], after: EndFacts["refused"]): EndFacts["refused"] {
  if (before === null || after === null) return null;
  return Object.fromEntries(
    Object.entries(after)
      .map(([reason, packets]) => [reason, packets - (before[reason] ?? 0)] as const)
      .filter(([, packets]) => packets > 0),
  );
}
