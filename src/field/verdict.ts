// From a survey to words: what limits this link now, and the exact command that raises it, on which host. Pure.

import { bitRateText, bytesText, countText, millisecondsText, percentText } from "../metrics/quantity-text.js";
import type { EndFacts } from "./end-facts.js";
import { type DirectionSurvey, type HostLoad, labelled, pathLoss, type Survey } from "./survey.js";

/** Every limit that is known, the ones that hide others first. */
export const limits = [
  "mtu-black-hole",
  "daemon-starved",
  "processor",
  "socket-buffer",
  "interface-queue",
  "path-loss",
  "tcp-receive-buffer",
  "tcp-send-buffer",
  "line",
  "offload",
] as const;
export type Limit = (typeof limits)[number];

export interface Finding {
  readonly limit: Limit;
  /** Whether it limits the rate now, or is only worth doing. */
  readonly isAdvice: boolean;
  /** Where the command belongs: this host, the far one, or both. */
  readonly host: string;
  readonly sentence: string;
  /** Null: no command mends it. */
  readonly command: string | null;
}

/** From here on the daemon's thread is at its end: the time that is looked at holds the pauses between loads too. */
const RUN_SHARE = 0.75;
/** From here on others have taken the processor. */
const WAIT_SHARE = 0.25;
const LOSS_THAT_MATTERS = 0.001;
/** Packets dropped in a burst now and then do no harm. */
const DROPS_THAT_MATTER = 10;
/** One stream that gets less than this of what many get is held back by something of its own. */
const ONE_OF_MANY = 0.7;
/** A rate this near to what a buffer allows is held back by it. */
const NEAR = 1.5;
/** What longhaul asks the kernel for, and the kernel doubles. */
const SOCKET_BUFFER_BYTES = 7 << 20;
/** Of a TCP receive buffer, about half is window; the rest is for the kernel's own overhead. */
const WINDOW_SHARE = 0.5;
const MSS_BYTES = 1_368;
const MATHIS = 1.22;

/** @returns what limits the link, the first thing to mend first; advice behind. Never empty. */
export function judge(measured: Survey): Finding[] {
  const survey = labelled(measured);
  const findings: Finding[] = [...judgeMtu(survey)];
  const { near, far } = survey;
  const ways = [
    { way: survey.forward, from: near, to: far },
    { way: survey.backward, from: far, to: near },
  ] as const;
  for (const { way, from, to } of ways) {
    if (way === null) continue;
    const between = `${nameOf(from)} to ${nameOf(to)}`;
    for (const [host, load] of [
      [from, way.sender],
      [to, way.receiver],
    ] as const) {
      if (load !== null) findings.push(...judgeProcessor(load, nameOf(host), host));
    }
    findings.push(...judgeDrops(way, from, to), ...judgeLoss(way, survey.roundTripMs, between, nameOf(from)));
    findings.push(...judgeBuffers(way, survey, from, to));
  }
  for (const end of [near, far]) if (end !== null) findings.push(...judgeOffloads(end));
  const unique = findings.filter((one, i) => findings.findIndex((other) => sameMend(one, other)) === i);
  unique.sort((a, b) => Number(a.isAdvice) - Number(b.isAdvice) || limits.indexOf(a.limit) - limits.indexOf(b.limit));
  return unique.some(({ isAdvice }) => !isAdvice) ? unique : [lineFinding(survey), ...unique];
}

function sameMend(a: Finding, b: Finding): boolean {
  return a.limit === b.limit && a.host === b.host && a.command === b.command;
}

function nameOf(end: EndFacts | null): string {
  return end === null ? "the far host" : end.hostname;
}

function judgeMtu({ longestPacket, near }: Survey): Finding[] {
  if (longestPacket === null) return [];
  return [
    {
      limit: "mtu-black-hole",
      isAdvice: false,
      host: "both hosts",
      sentence:
        `packets of more than ${longestPacket} bytes vanish in the tunnel without a word, though ${near.interfaceName}` +
        ` takes ${near.mtu}: the path outside carries less than 1,500 bytes, and connections hang at their first full packet`,
      command: `ip link set dev ${near.interfaceName} mtu ${longestPacket}`,
    },
  ];
}

function judgeProcessor(load: HostLoad, host: string, end: EndFacts | null): Finding[] {
  const { daemonRunShare, daemonWaitShare, busyShare } = load;
  const wanted = (daemonRunShare ?? 0) + (daemonWaitShare ?? 0); // a daemon that also sleeps has time to spare
  if (daemonWaitShare !== null && daemonWaitShare >= WAIT_SHARE && wanted >= RUN_SHARE) {
    return [
      {
        limit: "daemon-starved",
        isAdvice: false,
        host,
        sentence:
          `on ${host} other programs take the processor: longhaul waited for one ${percentText(daemonWaitShare)} of the` +
          ` time, and all cores were ${percentText(busyShare)} busy`,
        command: `systemctl set-property longhaul@${end?.interfaceName ?? "wg0"}.service CPUWeight=10000`,
      },
    ];
  }
  if (daemonRunShare === null || daemonRunShare < RUN_SHARE) return [];
  return [
    {
      limit: "processor",
      isAdvice: false,
      host,
      sentence: `on ${host} longhaul uses ${percentText(daemonRunShare)} of a processor core: it can do no more`,
      command: null,
    },
  ];
}

function judgeDrops(way: DirectionSurvey, from: EndFacts | null, to: EndFacts | null): Finding[] {
  const findings: Finding[] = [];
  if (to !== null && way.receiver !== null && way.receiver.socketDrops >= DROPS_THAT_MATTER) {
    const size = to.socketBufferBytes;
    findings.push({
      limit: "socket-buffer",
      isAdvice: false,
      host: to.hostname,
      sentence:
        `on ${to.hostname} longhaul's UDP socket was full and dropped ${countText(way.receiver.socketDrops, "datagram")}` +
        (size === null ? "" : `; its receive buffer is ${bytesText(size)}`),
      command:
        size !== null && size >= SOCKET_BUFFER_BYTES
          ? null
          : `sysctl -w net.core.rmem_max=${2 * SOCKET_BUFFER_BYTES} && longhaul down ${to.interfaceName} && longhaul up ${to.interfaceName}`,
    });
  }
  if (from !== null && way.sender !== null && way.sender.tunDrops >= DROPS_THAT_MATTER) {
    findings.push({
      limit: "interface-queue",
      isAdvice: false,
      host: from.hostname,
      sentence:
        `on ${from.hostname} the queue of ${from.interfaceName} was full and dropped` +
        ` ${countText(way.sender.tunDrops, "packet")} before longhaul saw them`,
      command: `ip link set dev ${from.interfaceName} txqueuelen 10000`,
    });
  }
  return findings;
}

function judgeLoss(way: DirectionSurvey, roundTripMs: number, between: string, sender: string): Finding[] {
  const onPath = pathLoss(way);
  if (onPath === null || onPath < LOSS_THAT_MATTERS) return [];
  const most = (MATHIS * MSS_BYTES * 8) / ((roundTripMs / 1_000) * Math.sqrt(onPath));
  return [
    {
      limit: "path-loss",
      isAdvice: false,
      host: sender,
      sentence:
        `the path from ${between} loses ${percentText(onPath)} of its packets, outside both hosts: with a round trip of` +
        ` ${millisecondsText(roundTripMs)} that leaves a TCP that backs off on loss about ${bitRateText(most)} a stream.` +
        " Ask the provider; until then a congestion control that minds loss less helps on the hosts that send",
      command: "sysctl -w net.ipv4.tcp_congestion_control=bbr",
    },
  ];
}

function judgeBuffers(way: DirectionSurvey, survey: Survey, from: EndFacts | null, to: EndFacts | null): Finding[] {
  const { roundTripMs } = survey;
  const best = Math.max(way.manyStreams, way.underlay ?? 0);
  if (way.oneStream >= ONE_OF_MANY * best || roundTripMs <= 0) return [];
  const allowed = (bytes: number): number => (bytes * 8) / (roundTripMs / 1_000);
  const needed = Math.max(best, 2 * way.oneStream) * (roundTripMs / 1_000 / 8);
  const candidates = [
    {
      end: to,
      limit: "tcp-receive-buffer",
      knob: "tcp_rmem",
      first: "4096 131072",
      bytes: to?.tcpReceiveBytes,
      share: WINDOW_SHARE,
    },
    { end: from, limit: "tcp-send-buffer", knob: "tcp_wmem", first: "4096 16384", bytes: from?.tcpSendBytes, share: 1 },
  ] as const;
  const [smallest] = candidates
    .flatMap((one) =>
      one.end === null || one.bytes === undefined
        ? []
        : [{ ...one, end: one.end, most: allowed(one.bytes * one.share) }],
    )
    .sort((a, b) => a.most - b.most);
  if (smallest === undefined || way.oneStream * NEAR < smallest.most * 0.5 || way.oneStream > smallest.most * NEAR)
    return [];
  const { end, limit, knob, first, most } = smallest;
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(4 * needed, 1 << 22)));
  return [
    {
      limit,
      isAdvice: false,
      host: end.hostname,
      sentence:
        `the TCP ${limit === "tcp-receive-buffer" ? "receive" : "send"} buffers of ${end.hostname} end at ${bytesText(smallest.bytes ?? 0)},` +
        ` which at ${millisecondsText(roundTripMs)} allows a stream about ${bitRateText(most)}; one stream got` +
        ` ${bitRateText(way.oneStream)}, ${survey.streams} streams ${bitRateText(way.manyStreams)}.` +
        " The same holds for the hosts behind the gateways",
      command: `sysctl -w net.ipv4.${knob}="${first} ${wanted}"`,
    },
  ];
}

function judgeOffloads({ hostname, outside }: EndFacts): Finding[] {
  if (outside === null) return [];
  const missing = (["generic-receive-offload", "rx-udp-gro-forwarding", "tx-udp-segmentation"] as const).filter(
    (name) => outside.offloads[name] === false,
  );
  return missing.map((name) => ({
    limit: "offload" as const,
    isAdvice: true,
    host: hostname,
    sentence: `on ${hostname} the offload ${name} of ${outside.device} is off: with it the same packets cost less processor time`,
    command: `ethtool -K ${outside.device} ${name} on`,
  }));
}

function lineFinding(survey: Survey): Finding {
  const { forward, backward } = survey;
  const rates = [forward, backward].flatMap((way) => (way === null ? [] : [Math.max(way.oneStream, way.manyStreams)]));
  const farUnknown = survey.far === null ? "; the far host does not tell, so what limits it there is not known" : "";
  return {
    limit: "line",
    isAdvice: false,
    host: "neither host",
    sentence:
      `nothing on these hosts limits the link at ${rates.map(bitRateText).join(" there and ")}${rates.length > 1 ? " back" : ""}:` +
      ` what is left is the line itself${farUnknown}`,
    command: null,
  };
}
