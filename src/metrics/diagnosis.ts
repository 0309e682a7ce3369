// Why a peer is silent or slow: the rules, and the order in which what they find is told. Pure: facts in, findings out.

import { causeNames, causes } from "./diagnosis-causes.js";
import { configurationRules } from "./diagnosis-configuration.js";
import type { HostFacts, PeerFacts, Reading } from "./diagnosis-facts.js";
import type { Finding } from "./diagnosis-finding.js";
import { handshakeRules } from "./diagnosis-handshake.js";
import { trafficRules } from "./diagnosis-traffic.js";
import { DiagnosisView } from "./diagnosis-view.js";
import { peerSentence } from "./peer-sentence.js";
import { peerState } from "./peer-state.js";
import type { Diagnosis } from "./status.js";

const rules = [...configurationRules, ...handshakeRules, ...trafficRules];
/** What only says that there is silence; a cause for it makes them superfluous. */
const symptoms: ReadonlySet<string> = new Set([
  "stopped_answering",
  "never_answered",
  "never_tried",
  "answers_unconfirmed",
]);

/**
 * How a peer is, for a person in a hurry.
 * @param peer  a PeerStatus will do  @param nowMs  ms since 1970
 */
export function diagnose(peer: PeerFacts, nowMs: number): Diagnosis {
  return { state: peerState(peer, nowMs), sentence: peerSentence(peer, nowMs) };
}

/**
 * Every cause that the facts speak for: what happens now first, in the order of the causes, what is merely possible behind it;
 * then what happened before.
 * @param earlier  a reading some seconds older: without it, only what has a time is known to happen now
 * @returns nothing when nothing is wrong. Throws nothing.
 */
export function findCauses(now: Reading, earlier?: Reading, host?: HostFacts): Finding[] {
  const view = new DiagnosisView(now, earlier, host);
  const found = rules.map((rule) => rule(view)).filter((finding) => finding !== undefined);
  const isExplained = found.some(
    ({ cause, confidence, isActive }) =>
      isActive && confidence !== "possible" && causes[cause].blocks && !symptoms.has(cause),
  );
  return found
    .filter(({ cause }) => !(isExplained && symptoms.has(cause)))
    .sort((a, b) => Number(b.isActive) - Number(a.isActive) || rank(a) - rank(b));
}

/** What is merely possible comes after what is likely. */
function rank({ cause, confidence }: Finding): number {
  return causeNames.indexOf(cause) + (confidence === "possible" ? causeNames.length : 0);
}
