// Sends timestamps as a daemon does, faster and under a wilder clock, until it is killed: notes each in a file before it counts as
// sent. usage: node power-cut-process.mjs STATE-DIRECTORY NOTES    starts when a line comes in
import { appendFileSync } from "node:fs";
import { TimestampSource } from "../../dist/core/noise/tai64n.js";
import { TimestampFloor } from "../../dist/daemon/timestamp-floor.js";
import { StateDirectory } from "../../dist/system/state-directory.js";

const [directory, notes] = process.argv.slice(2);
const KEY = new Uint8Array(32).fill(1);
const NOW_MS = Date.UTC(2027, 0, 1);
const clocks = [() => 0, () => NOW_MS, () => NOW_MS + Math.random() * 1e9, () => Date.UTC(2038, 0, 1)];

let wallMs = clocks[Math.floor(Math.random() * clocks.length)]();
let bootMs = 0;
const silent = { info: () => {}, error: (fields) => fields.err && process.stderr.write(`${fields.err}\n`) };

process.stdin.once("data", () => {
  const floor = new TimestampFloor({
    directory: new StateDirectory(directory),
    wallMs: () => wallMs,
    bootMs: () => bootMs,
    log: silent,
  });
  const source = new TimestampSource();
  const kept = floor.keyChanged(KEY);
  if (kept !== undefined) source.raiseFloor(kept.seconds, kept.nanos);
  const bytes = new Uint8Array(12);
  const send = () => {
    const stepMs = Math.random() * 900_000;
    wallMs += stepMs;
    bootMs += stepMs;
    source.next(bytes, floor.believe(wallMs));
    floor.reserve(source.last);
    appendFileSync(notes, `${Buffer.from(bytes).toString("hex")}\n`);
    if (Math.random() < 0.5) setImmediate(send);
    else setTimeout(send, Math.random() * 3);
  };
  send();
});
process.stdout.write("waiting\n");
