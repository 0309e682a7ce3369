// longhaul show [NAME | all | interfaces]: what runs here and how its peers are, once or again and again.

import { parseInterfaceName } from "../config/interface-name.js";
import { NotRunningError } from "../daemon/control-client.js";
import type { PeerFacts } from "../metrics/diagnosis-facts.js";
import { peerState } from "../metrics/peer-state.js";
import { STATUS_SCHEMA } from "../metrics/status.js";
import { readArguments } from "./arguments.js";
import { printData, UsageError } from "./output.js";
import { listInterfaces, readAllInterfaces, readInterface, type ShownDocument } from "./read-status.js";
import { showLines } from "./show-text.js";
import { chooseTextStyle, printLines } from "./text-style.js";
import { terminal, watch } from "./watch.js";

const EXIT_DEGRADED = 3;
const INTERVAL_S = 2;
const INTERVAL_S_MAX = 3_600;

/**
 * @returns the exit status: 0; 3 when an interface is not ready or a peer was asked and does not answer.
 * Errors: NotRunningError; UsageError.
 */
export async function show(args: string[]): Promise<number> {
  const { values, positionals } = readArguments(args, {
    json: { type: "boolean" },
    watch: { type: "boolean" },
    interval: { type: "string" },
  });
  const [word = "all"] = positionals;
  if (positionals.length > 1) {
    throw new UsageError(
      `show wants one interface, "all" or "interfaces", not ${positionals.length} words; see longhaul --help`,
    );
  }
  const json = values.json === true;
  if (word === "interfaces") return showNames(json);
  const intervalMs = readInterval(values.interval) * 1_000;
  const read = (): Promise<ShownDocument[]> => readWanted(word);
  if (values.watch !== true) {
    const documents = await read();
    print(documents, json);
    return exitStatus(documents);
  }
  if (json) return watch({ intervalMs, isPlain: true, frame: async () => [jsonText(await read())] });
  return watch({
    intervalMs,
    isPlain: false,
    frame: async (style) => [new Date().toLocaleTimeString("en-GB"), ...lines(await read(), style)],
  });
}

async function readWanted(word: string): Promise<ShownDocument[]> {
  if (word !== "all") return [await readInterface(parseInterfaceName(word))];
  const documents = await readAllInterfaces();
  if (documents.length === 0) throw new NotRunningError("no daemon runs here: longhaul up NAME starts one");
  return documents;
}

/** As wg(8): names on one line. */
function showNames(json: boolean): number {
  const names = listInterfaces();
  printData(
    json
      ? `${JSON.stringify({ schema: STATUS_SCHEMA, interfaces: names })}\n`
      : names.map((name, i) => `${name}${i + 1 < names.length ? " " : "\n"}`).join(""),
  );
  return 0;
}

function print(documents: readonly ShownDocument[], json: boolean): void {
  if (json) printData(`${jsonText(documents)}\n`);
  else printLines(lines(documents, chooseTextStyle(terminal(), process.env)));
}

function jsonText(documents: readonly ShownDocument[]): string {
  return JSON.stringify({ schema: STATUS_SCHEMA, interfaces: documents });
}

function lines(documents: readonly ShownDocument[], style: Parameters<typeof showLines>[1]): string[] {
  return documents.flatMap((document, i) => [...(i === 0 ? [] : [""]), ...showLines(document, style)]);
}

function exitStatus(documents: readonly ShownDocument[]): number {
  const isDegraded = documents.some(
    (document) =>
      (document.source === "daemon" && !document.health.isReady) ||
      (document.peers as readonly PeerFacts[]).some((peer) => peerState(peer, document.readAtMs) === "silent"),
  );
  return isDegraded ? EXIT_DEGRADED : 0;
}

function readInterval(text: string | undefined): number {
  if (text === undefined) return INTERVAL_S;
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds < 0.1 || seconds > INTERVAL_S_MAX) {
    throw new UsageError(`--interval ${text}: seconds from 0.1 to ${INTERVAL_S_MAX}`);
  }
  return seconds;
}
