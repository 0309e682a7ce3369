// Calls the addon as JavaScript that has gone wrong would: every function with arguments of any kind, and whatever takes a
// batch with garbage in every cell. Run by `make hostile`, in a Node under AddressSanitizer and UBSan: a step outside of
// memory ends it. usage: node hostile.mjs ADDON [SECONDS] [SEED]

import { createRequire } from "node:module";
import { resolve } from "node:path";

const [addonPath, seconds = "3", givenSeed] = process.argv.slice(2);
const addon = createRequire(import.meta.url)(resolve(addonPath));
const seed = Number(givenSeed ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`SEED=${seed}\n`);

/** mulberry32 */
let state = seed >>> 0;
function below(n) {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
}
const pick = (from) => from[below(from.length)];

/** Would change this process or this machine for good. */
const LEFT_OUT = new Set(["endProcess", "enterNetworkNamespace", "disableDumps"]);
/** Creates an interface when its arguments are right, so it gets none that are. */
const ONLY_WRONG = new Set(["tunOpen"]);

const numbers = [
  0,
  1,
  2,
  3,
  7,
  64,
  -1,
  -2,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 32,
  2 ** 53,
  1e300,
  0.5,
  Number.NaN,
  Infinity,
];
const anything = [
  ...numbers,
  undefined,
  null,
  true,
  "",
  "auto",
  "openssl",
  "127.0.0.1",
  "x".repeat(5_000),
  {},
  [],
  () => {},
  Symbol("x"),
  1n,
];
function memory() {
  const bytes = below(3) === 0 ? below(20_000) : below(80);
  const kinds = [
    () => new Uint8Array(bytes),
    () => new Int32Array(bytes >> 2),
    () => new Float64Array(bytes >> 3),
    () => new Uint8Array(new ArrayBuffer(bytes + 8), below(8), bytes),
    () => new ArrayBuffer(bytes),
    () => new DataView(new ArrayBuffer(bytes)),
    () => new Uint8Array(32),
    () => new Uint8Array(12),
  ];
  return pick(kinds)();
}
const argument = () => (below(3) === 0 ? memory() : below(2) === 0 ? below(6) : pick(anything));

const names = Object.keys(addon).filter((name) => typeof addon[name] === "function" && !LEFT_OUT.has(name));

function callAnything() {
  const name = pick(names);
  const args = Array.from({ length: below(11) }, argument);
  if (ONLY_WRONG.has(name)) args[7] = undefined;
  try {
    addon[name](...args);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
  }
}

const ENDPOINT_BYTES = 64;
const ENDPOINTS = 4;
const TUN_STATS = 64;

/** What a batch with garbage in it is offered to: AEADs of every backend, a socket of the loopback. */
function open() {
  const aeads = addon.aeadBackends().map((name) => addon.aeadCreate(name, 4));
  for (const aead of aeads) for (const slot of [0, 2]) addon.aeadSetKey(aead, slot, new Uint8Array(32).fill(7));
  const socket = addon.udpOpen(4, 0, "127.0.0.1", 0, 1 << 20, 1 << 20, 1, new Float64Array(TUN_STATS), -1);
  const info = new Int32Array(6);
  addon.udpInfo(socket, info);
  const table = new Uint8Array(ENDPOINTS * ENDPOINT_BYTES);
  for (let row = 0; row < ENDPOINTS; row++) {
    const view = new DataView(table.buffer, row * ENDPOINT_BYTES);
    view.setUint16(0, row === 3 ? below(65_536) | 0x100 : 2, true);
    view.setUint16(2, info[1], false);
    table.set([127, 0, 0, 1], row * ENDPOINT_BYTES + 8);
  }
  addon.udpAttachEndpoints(socket, table);
  return { aeads, socket };
}

function callWithGarbage({ aeads, socket }) {
  const [slots, runs, rows, arenaBytes] = [1 + below(40), 1 + below(20), below(4), pick([64, 3_000, 140_000])];
  const columnBytes = 64 + slots * 20 + runs * 36;
  const buffer = new ArrayBuffer(columnBytes + 128 + rows * ENDPOINT_BYTES + arenaBytes);
  const cells = new Int32Array(buffer, 0, columnBytes >> 2);
  const edges = [slots, runs, arenaBytes, rows, 4, 5, 0, 0, 0, ...numbers];
  const isWild = below(4) === 0;
  for (let i = 0; i < cells.length; i++) cells[i] = isWild ? below(2 ** 32) : below(3) === 0 ? pick(edges) : below(24);
  // Mostly few packets and runs, or none would be looked at.
  if (below(4) !== 0) cells.set([below(slots + 1), below(runs + 1), below(arenaBytes), below(rows + 1), below(2_000)]);
  const batch = addon.attachBatch(buffer, slots, runs, rows, arenaBytes);
  for (const aead of aeads) {
    addon.aeadSeal(aead, batch);
    addon.aeadOpen(aead, batch);
  }
  addon.udpSendBatch(socket, batch);
  addon.udpReceiveBatch(socket, batch);
  if (below(2) === 0) addon.detachBatch(batch);
}

let parts = open();
const endMs = performance.now() + Number(seconds) * 1_000;
let calls = 0;
while (performance.now() < endMs) {
  for (let i = 0; i < 50; i++, calls += 2) {
    callAnything();
    callWithGarbage(parts);
  }
  parts = calls % 5_000 === 0 ? open() : parts; //  what ran above may have closed them
}
process.stdout.write(`${calls} calls\nok\n`);
process.exit(0);
