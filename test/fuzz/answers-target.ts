// What others answer when longhaul asks: the far end of `longhaul bench`, another WireGuard's UAPI, the service manager, a
// daemon's control socket, files in a state directory. The first byte of an input says which.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAnswer } from "../../src/cli/service-command.js";
import { ConfigError } from "../../src/config/errors.js";
import { checkFacts } from "../../src/field/far-end.js";
import { readJournal } from "../../src/system/journal.js";
import { jobOf, takeServiceEnvironment, unitOf } from "../../src/system/notify.js";
import { formatSnapshot } from "../../src/uapi/format.js";
import { AnswerReader } from "../../src/uapi/parse-answer.js";
import { snapshotArbitrary } from "../uapi/records.js";
import { decode, encode, FuzzRandom, sampleOf } from "./random.js";
import { type FuzzTarget, hold, holdNoKey, holdPrintable, PropertyError, valueOr } from "./target.js";

const facts = {
  hostname: "a",
  interfaceName: "hq",
  congestionControl: "bbr",
  mtu: 1420,
  tunDrops: 0,
  socketDrops: 0,
  anySocketDrops: 0,
  tcpReceiveBytes: 6291456,
  tcpSendBytes: 4194304,
  cores: 2,
  busySeconds: 1.5,
  totalSeconds: 3,
  socketBufferBytes: null,
  daemon: { runSeconds: 1, waitSeconds: 2 },
  outside: { device: "eth0", mtu: 1500 },
  refused: { TunWriteFailed: 1 },
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What goes to a terminal or into a command is a plain string, and what is counted with is a number. */
function checkFarEnd(text: string): void {
  const value = parsed(text);
  const known = valueOr(() => checkFacts(value), TypeError);
  if (known instanceof Error) return;
  const plain = (one: unknown): boolean => typeof one === "string" && /^[\w.:@-]{1,64}$/.test(one);
  const texts = [known.hostname, known.interfaceName, known.congestionControl, ...Object.keys(known.refused ?? {})];
  if (known.outside !== null) texts.push(known.outside.device);
  for (const one of texts) hold(plain(one), `a name ${JSON.stringify(one)}`);
  hold(Number.isFinite(known.mtu) && Number.isFinite(known.cores), "a number");
}

function checkUapiAnswer(text: string): void {
  const reader = new AnswerReader();
  for (const line of text.split("\n")) {
    const error = valueOr(() => reader.add(line), ConfigError);
    if (!(error instanceof ConfigError)) continue;
    holdPrintable(error.message);
    holdNoKey(text, error.message);
  }
  for (const peer of reader.snapshot.peers) hold(peer.publicKey.length === 32, "a key");
}

function checkServiceManager(text: string): void {
  const [names = "", fds = "", cgroup = "", jobs = ""] = text.split("\x1f");
  const env = { NOTIFY_SOCKET: "/run/x", LISTEN_PID: "7", LISTEN_FDS: fds, LISTEN_FDNAMES: names, WATCHDOG_USEC: fds };
  const given = takeServiceEnvironment(env, 7);
  hold(given !== undefined && given.stored.length <= 1_024 && given.stored.every(({ fd }) => fd >= 3), "descriptors");
  hold(Object.keys(env).length === 0, "a variable of the manager is left for children");
  const unit = unitOf(cgroup);
  hold(unit === undefined || unit.endsWith(".service"), "a unit");
  jobOf(jobs, "longhaul@hq.service");
}

function checkControl(text: string): void {
  const error = valueOr(() => readAnswer({ status: 500, text }, "hq"), Error);
  hold(error instanceof Error && !(error instanceof TypeError), `a bug instead of a refusal: ${String(error)}`);
}

async function checkJournal(text: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "longhaul-fuzz-"));
  try {
    writeFileSync(join(directory, "hq.json"), encode(text));
    const journal = await readJournal(join(directory, "hq.json"));
    hold(journal === undefined || Array.isArray(journal.states), "a journal");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const ways = [checkFarEnd, checkUapiAnswer, checkServiceManager, checkControl, checkJournal] as const;

function make(seed: number): Uint8Array {
  const random = new FuzzRandom(seed);
  const which = random.below(ways.length);
  const texts = [
    () => JSON.stringify(facts),
    () => {
      const buffer = Buffer.alloc(65_536);
      let text = "";
      const steps = formatSnapshot(sampleOf(snapshotArbitrary, random.below(2 ** 31)), buffer);
      for (const length of steps) text += buffer.toString("latin1", 0, length);
      return text;
    },
    () => "udp4:tun\x1f2\x1f0::/system.slice/longhaul@hq.service\x1f12 longhaul@hq.service restart running",
    () => '{"error":"no"}',
    () => '{"states":[{"mtu":1420,"addresses":[],"routes":[]}],"isComplete":true}',
  ];
  return encode(String.fromCharCode(which) + (texts[which] as () => string)());
}

async function check(input: Uint8Array): Promise<void> {
  const way = ways[(input[0] ?? 0) % ways.length] as (text: string) => void | Promise<void>;
  try {
    await way(decode(input.subarray(1)));
  } catch (error) {
    if (error instanceof PropertyError) throw error;
    throw new PropertyError(`threw ${String(error)}`, { cause: error });
  }
}

export const answersTarget: FuzzTarget = {
  name: "answers",
  what: "what others answer: a bench's far end, another daemon's UAPI, the service manager, a control socket, the journal",
  covers: ["src/field/far-end.ts", "src/uapi/parse-answer.ts", "src/system/notify.ts", "src/system/journal.ts"],
  dictionary: [
    "null",
    "[]",
    "{}",
    '"eth0"',
    "1e999",
    '"outside":',
    '"device":',
    '"daemon":null',
    "public_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\n",
    "errno=1\n",
    "last_handshake_time_nsec=",
    "\x1f",
    "0::/",
    ".service",
    "__proto__",
  ],
  bytesMax: 8_192,
  make,
  check,
};
