// The program behind Wire: a UDP relay that stands between two gateways and does to their datagrams what networks and
// attackers do. It knows nothing of WireGuard but the type byte. One JSON command a line in, one JSON answer a line out.
import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";

const RECORD_MAX = 20_000;
const opposite = { left: "right", right: "left" };

/** The two faces: our socket and where its gateway is. */
const faces = JSON.parse(process.argv[2]);
/** What is done to datagrams that come from a side. Every rule counts: n means each n-th datagram. */
const rules = { left: {}, right: {} };
const counts = { left: 0, right: 0 };
const held = { left: [], right: [] };
let recorded = [];

function open(side) {
  const face = faces[side];
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: face.address.includes(":") ? "udp6" : "udp4", recvBufferSize: 4 << 20 });
    socket.on("error", reject);
    socket.on("message", (bytes, from) => {
      face.gateway = { address: from.address, port: from.port };
      passThrough(side, bytes);
    });
    socket.bind(face.port, face.address, () => {
      face.socket?.close();
      face.socket = socket;
      resolve();
    });
  });
}

function passThrough(from, bytes) {
  if (recorded.length < RECORD_MAX) recorded.push({ from, bytes: Buffer.from(bytes) });
  const { only, dropEvery, duplicateEvery, corruptEvery, corruptByte, delayMs, reorder } = rules[from];
  if (only !== undefined && bytes[0] !== only) return forward(from, bytes);
  counts[from] += 1;
  const each = (n) => n !== undefined && counts[from] % n === 0;
  if (each(dropEvery)) return;
  const out = [bytes];
  if (each(duplicateEvery)) out.push(Buffer.from(bytes));
  if (each(corruptEvery)) out[0] = corrupted(bytes, corruptByte);
  if (reorder !== undefined) return hold(from, out, reorder);
  for (const one of out) {
    if (delayMs === undefined) forward(from, one);
    else setTimeout(forward, delayMs, from, one);
  }
}

/** Flips one bit of one byte; a negative index counts from the end. */
function corrupted(bytes, index = -1) {
  const copy = Buffer.from(bytes);
  copy[index < 0 ? copy.length + index : index] ^= 0x01;
  return copy;
}

const stragglers = {};

/** Collects `many` datagrams, then sends the last first. Stragglers go after a moment. */
function hold(from, datagrams, many) {
  const waiting = held[from];
  waiting.push(...datagrams);
  const flush = () => {
    clearTimeout(stragglers[from]);
    stragglers[from] = undefined;
    for (const bytes of waiting.splice(0).reverse()) forward(from, bytes);
  };
  if (waiting.length >= many) flush();
  else stragglers[from] ??= setTimeout(flush, 50);
}

function forward(from, bytes) {
  const face = faces[opposite[from]];
  face.socket.send(bytes, face.gateway.port, face.gateway.address, () => {});
}

const verbs = {
  rules: ({ from, rules: wanted }) => {
    rules[from] = wanted;
    counts[from] = 0;
  },
  rebind: async ({ side, address, port }) => {
    Object.assign(faces[side], { address: address ?? faces[side].address, port });
    await open(side);
  },
  recorded: () => recorded.map(({ from, bytes }) => ({ from, hex: bytes.toString("hex") })),
  forget: () => {
    recorded = [];
  },
  replay: ({ from, type, times }) => {
    const again = recorded.filter((one) => one.from === from && one.bytes[0] === type);
    for (let i = 0; i < times; i++) for (const { bytes } of again) forward(from, bytes);
    return again.length * times;
  },
  inject: ({ from, datagrams }) => {
    for (const hex of datagrams) forward(from, Buffer.from(hex, "hex"));
  },
};

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

await open("left");
await open("right");
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  say({ answer: (await verbs[command.verb](command)) ?? null });
}
process.exit(0); // our owner has gone
