// The UAPI: what a client sends, cut anywhere, and what a daemon answers.

import { formatUpdate } from "../../src/uapi/format-update.js";
import { type UapiOperation, UapiParser } from "../../src/uapi/parse.js";
import { updateArbitrary } from "../uapi/records.js";
import { decode, encode, FuzzRandom, sampleOf } from "./random.js";
import { type FuzzTarget, hold, holdNoKey, holdPrintable } from "./target.js";

const OPERATION_BYTES_MAX = 1 << 20;

function make(seed: number): Uint8Array {
  const random = new FuzzRandom(seed);
  let text = "";
  for (let n = 1 + random.below(3); n > 0; n--) {
    if (random.oneIn(3)) text += "get=1\n\n";
    else text += [...formatUpdate(sampleOf(updateArbitrary, random.below(2 ** 31)))].join("");
  }
  return encode(text);
}

/** Whole, or in pieces of `step` bytes. */
function operationsOf(bytes: Buffer, step: number): UapiOperation[] {
  const parser = new UapiParser((name) => (name === "lan0" ? 3 : 0), OPERATION_BYTES_MAX);
  const operations: UapiOperation[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    parser.push(bytes.subarray(at, at + step));
    for (let next = parser.next(); next !== undefined; next = parser.next()) operations.push(next);
  }
  const last = parser.end();
  if (last !== undefined) operations.push(last);
  return operations;
}

function textOf(operations: readonly UapiOperation[]): string {
  return JSON.stringify(operations, (_, value: unknown) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
    return value instanceof Error ? `${value.name}: ${value.message}` : value;
  });
}

function checkOperation(operation: UapiOperation, input: string): void {
  if (operation.kind === "refuse") {
    const { message } = operation.error as Error;
    holdPrintable(message);
    holdNoKey(input, message);
    const line = /^line ([0-9]+): /.exec(message)?.[1];
    hold(line === undefined || Number(line) <= input.split("\n").length, `no such line: ${message}`);
    hold(operation.close || line !== undefined, `a refused line without its number: ${message}`);
  }
  if (operation.kind !== "set") return;
  const again = operationsOf(Buffer.from([...formatUpdate(operation.update)].join(""), "latin1"), 1 << 20);
  hold(again.length === 1, "an update becomes several operations");
  hold(textOf(again) === textOf([operation]), `written and read, ${textOf([operation])} becomes ${textOf(again)}`);
}

function check(input: Uint8Array): void {
  const bytes = Buffer.from(input);
  const whole = operationsOf(bytes, Math.max(1, bytes.length));
  const step = 1 + (bytes.length === 0 ? 0 : bytes[bytes.length >> 1] % 13);
  hold(textOf(operationsOf(bytes, step)) === textOf(whole), `in pieces of ${step} bytes it is something else`);
  for (const operation of whole) checkOperation(operation, decode(bytes));
}

export const uapiTarget: FuzzTarget = {
  name: "uapi",
  what: "UAPI operations, whole and in pieces; written and read again",
  covers: ["src/uapi/parse.ts", "src/uapi/set-section.ts", "src/uapi/format-update.ts", "src/uapi/errors.ts"],
  dictionary: [
    "set=1\n",
    "get=1\n\n",
    "\n\n",
    "private_key=",
    "public_key=",
    "preshared_key=",
    "listen_port=",
    "fwmark=",
    "replace_peers=true\n",
    "endpoint=192.0.2.1:51820\n",
    "endpoint=[fe80::1%lan0]:1\n",
    "allowed_ip=10.0.0.0/8\n",
    "allowed_ip=-::/0\n",
    "replace_allowed_ips=true\n",
    "persistent_keepalive_interval=25\n",
    "update_only=true\n",
    "remove=true\n",
    "protocol_version=1\n",
    "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a",
    "\r\n",
  ],
  bytesMax: 16_384,
  make,
  check,
};
