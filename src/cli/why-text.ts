// What `longhaul why` prints: the verdict as lines for a person or as JSON. Facts in, text out.

import { causes } from "../metrics/diagnosis-causes.js";
import type { Reading, WayFacts } from "../metrics/diagnosis-facts.js";
import type { Finding, NextStep } from "../metrics/diagnosis-finding.js";
import { durationText } from "../metrics/quantity-text.js";
import { type Diagnosis, STATUS_SCHEMA } from "../metrics/status.js";
import type { ShownDocument } from "./read-status.js";
import { type Colour, paint, printable, type TextStyle, wrap } from "./text-style.js";

export interface Verdict {
  readonly interfaceName: string;
  /** Undefined: no peer has the address that was asked about. */
  readonly reading: Reading | undefined;
  readonly diagnosis: Diagnosis | undefined;
  /** 0: one reading only. */
  readonly observedMs: number;
  /** Whether the daemon told its counters; false: the UAPI alone. */
  readonly isComplete: boolean;
  readonly findings: readonly Finding[];
}

const confidenceColours: Readonly<Record<Finding["confidence"], Colour>> = {
  known: "red",
  likely: "yellow",
  possible: "grey",
};
const INDENT = "   ";

export function verdictLines(verdict: Verdict, style: TextStyle): string[] {
  const { reading, diagnosis, findings } = verdict;
  const lines: string[] = [];
  if (reading !== undefined && diagnosis !== undefined) {
    const { name, publicKey } = reading.peer;
    const isNamed = !publicKey.startsWith(name);
    const who = isNamed ? `${printable(name)} (${publicKey})` : publicKey;
    lines.push(paint(style, "bold", `${verdict.interfaceName}: ${who}`), ...wrap(diagnosis.sentence, style, ""));
  }
  const active = findings.filter(({ isActive }) => isActive);
  const past = findings.filter(({ isActive }) => !isActive);
  for (const [i, finding] of active.entries()) lines.push("", ...findingLines(finding, `${i + 1}. `, style));
  if (active.length === 0) lines.push("", ...wrap(nothingText(verdict), style, ""));
  if (past.length > 0) {
    lines.push("", paint(style, "bold", "Earlier, and not now:"));
    for (const { cause, evidence } of past) {
      lines.push(...wrap(`- ${causes[cause].title}: ${evidence.join("; ")}`, style, "", "  "));
    }
  }
  if (!verdict.isComplete) {
    lines.push("", ...wrap("Only the UAPI socket answers: losses, drops and handshakes are not known.", style, ""));
  }
  return lines;
}

function nothingText({ reading, observedMs }: Verdict): string {
  const over = observedMs === 0 ? "" : ` in the last ${durationText(observedMs)}`;
  const hint =
    reading?.peer.handshakes === undefined
      ? ""
      : " Counters, ways of the kernel and the path from the peer to here were looked at; what this device sends is judged on the other side.";
  return `Nothing wrong seen${over}.${hint}`;
}

function findingLines(finding: Finding, number: string, style: TextStyle): string[] {
  const { cause, confidence, says, evidence, next } = finding;
  const heading = `${number}${causes[cause].title}`;
  return [
    `${paint(style, "bold", heading)} ${paint(style, confidenceColours[confidence], `(${confidence})`)}`,
    ...wrap(says, style, INDENT),
    ...evidence.flatMap((fact) => wrap(`- ${fact}`, style, INDENT, `${INDENT}  `)),
    `${INDENT}next:`,
    ...next.flatMap((step) => stepLines(step, style)),
  ];
}

/** A command stands on a line of its own and is never broken, so that it can be copied. */
function stepLines({ text, command }: NextStep, style: TextStyle): string[] {
  const lines = wrap(`- ${text}${command === undefined ? "" : ":"}`, style, INDENT, `${INDENT}  `);
  return command === undefined ? lines : [...lines, `${INDENT}    ${paint(style, "cyan", printable(command))}`];
}

/** @returns a value for JSON.stringify; fields are added freely, one that goes makes the schema one higher. */
export function verdictJson({ interfaceName, reading, diagnosis, observedMs, isComplete, findings }: Verdict): object {
  const peer = reading?.peer;
  return {
    schema: STATUS_SCHEMA,
    interface: interfaceName,
    peer:
      peer === undefined
        ? null
        : {
            name: peer.name,
            publicKey: peer.publicKey,
            endpoint: peer.endpoint,
            allowedIps: peer.allowedIps,
          },
    state: diagnosis?.state ?? null,
    sentence: diagnosis?.sentence ?? null,
    observedSeconds: observedMs / 1_000,
    source: isComplete ? "daemon" : "uapi",
    causes: findings.map(({ cause, confidence, isActive, says, evidence, next }) => ({
      cause,
      title: causes[cause].title,
      confidence,
      isActive,
      says,
      evidence,
      next: next.map(({ text, command }) => ({ text, command: command ?? null })),
    })),
  };
}

/** An address that was asked about and that no peer has in its AllowedIPs. */
export function unclaimedFinding(
  documents: readonly ShownDocument[],
  word: string,
  way: WayFacts | undefined,
): Finding {
  const name = documents.length === 1 ? documents[0].interface.name : undefined;
  const leadsIn = way?.device !== undefined && documents.some((document) => document.interface.name === way.device);
  const target = leadsIn ? (way?.device as string) : (name ?? "NAME");
  return {
    cause: "not_in_allowed_ips",
    confidence: "known",
    isActive: true,
    says: `no peer of ${documents.map((document) => document.interface.name).join(", ")} has ${word} in its AllowedIPs: packets for it are refused as no_route, and packets from it as source_not_allowed`,
    evidence: way === undefined ? [] : [`ip route get ${way.address} says: ${wayText(way)}`],
    next: [
      { text: "see who has what", command: `wg show ${target} allowed-ips` },
      {
        text: `add it to AllowedIPs of the peer that it is behind, in the file, and apply that`,
        command: `longhaul reload ${target}`,
      },
    ],
  };
}

function wayText({ device, isLocal }: WayFacts): string {
  if (isLocal) return "this host itself";
  return device === undefined ? "no route" : `dev ${device}`;
}
