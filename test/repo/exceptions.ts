// The one list of files that may break a rule of the repository, each with its reason. It may only shrink.

import { readProjectJson } from "./project.js";

export interface Exception {
  readonly rule: string;
  readonly path: string;
  readonly reason: string;
}

export const exceptions = readProjectJson("test/repo/exceptions.json") as unknown as readonly Exception[];

/** @returns whether the list lets this file break this rule. */
export function allowed(rule: string, path: string): boolean {
  return exceptions.some((exception) => exception.rule === rule && exception.path === path);
}
