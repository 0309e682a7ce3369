// A survey and its findings as a person reads them in a terminal.

import { bitRateText, bytesText, countText, millisecondsText, percentText } from "../metrics/quantity-text.js";
import type { EndFacts } from "./end-facts.js";
import { type DirectionSurvey, type HostLoad, labelled, pathLoss, type Survey } from "./survey.js";
import type { Finding } from "./verdict.js";

/** @returns lines, the last ended too */
export function surveyText(measured: Survey, findings: readonly Finding[]): string {
  const survey = labelled(measured);
  const { near, far, forward, backward, roundTripMs, underlayRoundTripMs, loadedRoundTripMs } = survey;
  const there = far?.hostname ?? survey.address;
  const outside = underlayRoundTripMs === null ? "" : `, outside the tunnel ${millisecondsText(underlayRoundTripMs)}`;
  const loaded = loadedRoundTripMs === null ? "" : `, under load ${millisecondsText(loadedRoundTripMs)}`;
  const lines = [
    `${near.hostname} to ${there}, ${survey.address} through ${near.interfaceName}, MTU ${near.mtu}`,
    `round trip ${millisecondsText(roundTripMs)}${outside}${loaded}`,
    ...wayLines(survey, forward, `${near.hostname} → ${there}`),
    ...wayLines(survey, backward, `${there} → ${near.hostname}`),
    "",
    ...endLines(near, forward?.sender ?? null, backward?.receiver ?? null),
    ...(far === null ? [] : endLines(far, forward?.receiver ?? null, backward?.sender ?? null)),
    "",
    ...findingLines(findings),
  ];
  return `${lines.join("\n")}\n`;
}

function wayLines(survey: Survey, way: DirectionSurvey | null, title: string): string[] {
  if (way === null) return [];
  const best = Math.max(way.oneStream, way.manyStreams, way.underlay ?? 0);
  const product = (best * survey.roundTripMs) / 8_000;
  const lost = pathLoss(way);
  const loss = lost === null ? "no datagram came" : `loss on the path ${percentText(lost)}`;
  return [
    `${title}: one stream ${bitRateText(way.oneStream)}, ${survey.streams} streams ${bitRateText(way.manyStreams)}` +
      `${way.underlay === null ? "" : `, outside the tunnel ${bitRateText(way.underlay)}`}; ${loss},` +
      ` ${countText(way.retransmits, "retransmit")}; bandwidth-delay product ${bytesText(product)}`,
  ];
}

function endLines(end: EndFacts, ...loads: readonly (HostLoad | null)[]): string[] {
  const known = loads.filter((load) => load !== null);
  const sum = (figure: (load: HostLoad) => number): number => known.reduce((all, load) => all + figure(load), 0);
  const most = (figure: (load: HostLoad) => number | null): number =>
    known.reduce((all, load) => Math.max(all, figure(load) ?? 0), 0);
  const refused = new Map<string, number>();
  for (const [reason, packets] of known.flatMap((load) => Object.entries(load.refused ?? {}))) {
    refused.set(reason, (refused.get(reason) ?? 0) + packets);
  }
  const buffer = end.socketBufferBytes === null ? "" : `, UDP receive buffer ${bytesText(end.socketBufferBytes)}`;
  return [
    `${end.hostname}: TCP buffers up to ${bytesText(end.tcpReceiveBytes)} to receive, ${bytesText(end.tcpSendBytes)} to send` +
      `${buffer}, ${end.congestionControl}`,
    `  dropped at ${end.interfaceName} ${sum((load) => load.tunDrops)}, at UDP sockets ${sum((load) => load.socketDrops)}` +
      `${[...refused].map(([reason, packets]) => `, ${reason} ${packets}`).join("")};` +
      ` processors ${percentText(most((load) => load.busyShare))} busy, longhaul ${percentText(most((load) => load.daemonRunShare))} of one`,
  ];
}

function findingLines(findings: readonly Finding[]): string[] {
  const describe = ({ sentence, command, host }: Finding): string[] => [
    `${sentence[0].toUpperCase()}${sentence.slice(1)}.`,
    ...(command === null ? [] : [`  on ${host}: ${command}`]),
  ];
  const [first, ...others] = findings.filter(({ isAdvice }) => !isAdvice);
  const advice = findings.filter(({ isAdvice }) => isAdvice);
  return [
    ...(first === undefined ? [] : ["What limits this link now:", ...describe(first)]),
    ...(others.length === 0 ? [] : ["", "Then:", ...others.flatMap(describe)]),
    ...(advice.length === 0 ? [] : ["", "Worth doing:", ...advice.flatMap(describe)]),
  ];
}
