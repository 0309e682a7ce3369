// longhaul bench PEER: what the link to a peer can do, what limits it now, and the command that raises it.
// longhaul bench --serve: the far host's half of that.

import { readdirSync } from "node:fs";
import { hostname } from "node:os";
import { parseInterfaceName } from "../config/interface-name.js";
import { askControl, NotRunningError } from "../daemon/control-client.js";
import { readEndFacts } from "../field/end-facts.js";
import { FIELD_PORT, serveFarEnd } from "../field/far-end.js";
import { FarEndError } from "../field/probes.js";
import { surveyText } from "../field/survey-text.js";
import { takeSurvey } from "../field/take-survey.js";
import { judge } from "../field/verdict.js";
import { hasProgram, runProgram } from "../system/program.js";
import { SOCKET_DIRECTORY } from "../uapi/socket-file.js";
import { readArguments } from "./arguments.js";
import { type BenchTarget, chooseTarget } from "./bench-target.js";
import { printData, printTalk, UsageError } from "./output.js";
import { readAllInterfaces, readInterface } from "./read-status.js";

const DEFAULTS = { seconds: 5, streams: 8 } as const;
const SECONDS_MAX = 3_600;
const STREAMS_MAX = 64;

/** @returns the exit status: 0; 1 when the far end does not answer. Errors: UsageError; NotRunningError; UapiError. */
export async function bench(args: string[]): Promise<number> {
  const { values, positionals } = readArguments(args, {
    serve: { type: "boolean" },
    underlay: { type: "boolean" },
    json: { type: "boolean" },
    interface: { type: "string" },
    seconds: { type: "string" },
    streams: { type: "string" },
    port: { type: "string" },
  });
  const port = readNumber("--port", values.port, FIELD_PORT, 65_534);
  const chosen = values.interface === undefined ? undefined : parseInterfaceName(values.interface);
  if (values.serve === true) {
    if (positionals.length > 0) throw new UsageError("bench --serve takes no peer; see longhaul --help");
    await requirePrograms();
    return serve(chosen ?? onlyInterface(), port, values.underlay === true);
  }
  const [word] = positionals;
  if (positionals.length !== 1 || word === undefined) {
    throw new UsageError(
      "bench wants one peer: its name, its address in the tunnel, or its public key; see longhaul --help",
    );
  }
  const [seconds, streams] = [
    readNumber("--seconds", values.seconds, DEFAULTS.seconds, SECONDS_MAX),
    readNumber("--streams", values.streams, DEFAULTS.streams, STREAMS_MAX),
  ];
  await requirePrograms();
  const { interfaceName, address, endpointAddress } = await findTarget(word, chosen);
  try {
    const survey = await takeSurvey({
      ...{ interfaceName, address, endpointAddress, port, seconds, streams },
      underlay: values.underlay === true,
      readNear: async () => readEndFacts(interfaceName, await readRefused(interfaceName)),
      say: printTalk,
    });
    const findings = judge(survey);
    printData(values.json === true ? `${JSON.stringify({ ...survey, findings })}\n` : surveyText(survey, findings));
    return 0;
  } catch (error) {
    if (!(error instanceof FarEndError)) throw error;
    printTalk(error.message);
    printTalk("on the far gateway, start: longhaul bench --serve");
    return 1;
  }
}

async function requirePrograms(): Promise<void> {
  for (const program of ["iperf3", "ping", "ip"]) {
    if (!(await hasProgram(program)))
      throw new Error(`${program} is not installed: apt install iperf3 iputils-ping iproute2`);
  }
}

async function serve(interfaceName: string, port: number, everywhere: boolean): Promise<number> {
  const [address] = await addressesOf(interfaceName);
  if (address === undefined) throw new Error(`${interfaceName} has no address that the other end could reach`);
  const serving = await serveFarEnd(address, port, everywhere, async () =>
    readEndFacts(interfaceName, await readRefused(interfaceName)),
  );
  const stopped = new Promise<undefined>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => resolve(undefined));
  });
  printTalk(`${hostname()} serves at ${address}, ports ${port} and ${port + 1}, until Ctrl-C`);
  printTalk(`on the other gateway: longhaul bench ${address}${everywhere ? " --underlay" : ""}`);
  const why = await Promise.race([serving.ended, stopped]);
  serving.close();
  if (why === undefined) return 0;
  printTalk(why);
  return 1;
}

interface Ledger {
  readonly drops: ReadonlyArray<{ readonly reason: string; readonly packets: number }>;
}

/** longhaul's own counters of refused packets, by reason; null: the daemon does not tell. Throws nothing. */
async function readRefused(interfaceName: string): Promise<Readonly<Record<string, number>> | null> {
  try {
    const { status, text } = await askControl(interfaceName, "GET", "/status.json");
    if (status !== 200) return null;
    const { ledger } = JSON.parse(text) as { ledger: { inbound: Ledger; outbound: Ledger } };
    const drops = [...ledger.inbound.drops, ...ledger.outbound.drops];
    return Object.fromEntries(drops.map(({ reason, packets }) => [reason, packets]));
  } catch {
    return null;
  }
}

/** Errors: UsageError when the word means nothing here; NotRunningError. */
async function findTarget(word: string, chosen: string | undefined): Promise<BenchTarget> {
  const documents = chosen === undefined ? await readAllInterfaces() : [await readInterface(chosen)];
  if (documents.length === 0) throw new NotRunningError("no daemon runs here: longhaul up NAME starts one");
  return chooseTarget(documents, word, async (address) => chosen ?? interfaceTowards(address));
}

async function interfaceTowards(address: string): Promise<string> {
  const { status, stdout, stderr } = await runProgram(["ip", "-json", "route", "get", address]);
  const name = status === 0 ? /"dev":"([^"]+)"/.exec(stdout)?.[1] : undefined;
  if (name === undefined) throw new UsageError(`no route to ${address}: ${stderr.trim()}`);
  return name;
}

function onlyInterface(): string {
  let names: string[] = [];
  try {
    names = readdirSync(SOCKET_DIRECTORY).flatMap((file) => /^(.+)\.sock$/.exec(file)?.[1] ?? []);
  } catch {
    // no daemon has ever run here
  }
  if (names.length !== 1) {
    throw new UsageError(
      `${names.length === 0 ? "no interface is" : `${names.join(", ")} are`} up here; name one by --interface`,
    );
  }
  return names[0];
}

async function addressesOf(interfaceName: string): Promise<string[]> {
  const { status, stdout, stderr } = await runProgram(["ip", "-json", "address", "show", "dev", interfaceName]);
  if (status !== 0) throw new Error(`ip address show dev ${interfaceName}: ${stderr.trim()}`);
  const [entry] = JSON.parse(stdout) as [{ addr_info: Array<{ local: string; scope: string }> }];
  return entry.addr_info.filter(({ scope }) => scope === "global").map(({ local }) => local);
}

function readNumber(option: string, text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,5}$/.test(text) || Number(text) > most)
    throw new UsageError(`${option} ${text}: write a number from 1 to ${most}`);
  return Number(text);
}
