// What a rule of the diagnosis says when it applies.

import type { CauseName, Confidence } from "./diagnosis-causes.js";
import type { DiagnosisView } from "./diagnosis-view.js";

export interface NextStep {
  readonly text: string;
  /** To be typed as it is. */
  readonly command?: string;
}

export interface Finding {
  readonly cause: CauseName;
  readonly confidence: Confidence;
  /** It happens now; false: it did, since the start. */
  readonly isActive: boolean;
  /** One sentence. */
  readonly says: string;
  /** Numbers, one fact a line. */
  readonly evidence: readonly string[];
  readonly next: readonly NextStep[];
}

export function nextStep(text: string, command: string | undefined): NextStep {
  return command === undefined ? { text } : { text, command };
}

/** @returns what it finds, or nothing. Throws nothing. */
export type Rule = (view: DiagnosisView) => Finding | undefined;
