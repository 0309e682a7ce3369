// Bugs to plant, one at a time, in a copy of the code: what the simulation must catch. An edit whose text is not there, or is there
// twice, is an error: the code has changed, and the bug has to be written anew.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface PlantedBug {
  readonly name: string;
  readonly edits: readonly Edit[];
}

/**
 * @param root  where the code is
 * @returns the changed files, by their path. Errors: the text is not there exactly once.
 */
export function planted(root: string, { name, edits }: PlantedBug): Map<string, string> {
  const changed = new Map<string, string>();
  for (const { file, from, to } of edits) {
    const text = changed.get(file) ?? readFileSync(join(root, file), "utf8");
    const found = text.split(from).length - 1;
    if (found !== 1) throw new Error(`"${name}": its text is ${found} times in ${file}, not once`);
    changed.set(
      file,
      text.replace(from, () => to),
    );
  }
  return changed;
}

const EXCHANGE = "src/core/device/handshake-exchange.ts";
const RECEIVER = "src/core/device/handshake-receiver.ts";
const POOL = "src/core/device/keypair-pool.ts";
const RECEIVE = "src/core/device/receive-path.ts";
const SEND = "src/core/device/send-path.ts";
const COOKIE = "src/core/noise/cookie.ts";
const HANDSHAKE = "src/core/noise/handshake.ts";
const WINDOW = "src/core/transport/replay-window.ts";

const bug = (name: string, file: string, from: string, to: string): PlantedBug => ({
  name,
  edits: [{ file, from, to }],
});

export const plantedBugs: readonly PlantedBug[] = [
  bug(
    "the counter does not move on for staged packets and keepalives",
    SEND,
    "const counter = keypair.state[KeypairCell.SendCounter]++;",
    "const counter = keypair.state[KeypairCell.SendCounter];",
  ),
  bug(
    "a rekey yields the same key again, and its counter begins anew",
    HANDSHAKE,
    "handshake.symmetric.split(initiatorKey, responderKey);",
    "handshake.symmetric.split(initiatorKey, responderKey);\n  initiatorKey.fill(7);",
  ),
  bug(
    "the replay window is one too long",
    WINDOW,
    "if (greatest - counter >= REPLAY_WINDOW)",
    "if (greatest - counter > REPLAY_WINDOW)",
  ),
  bug(
    "a counter that jumps a whole window leaves the old bits behind",
    WINDOW,
    "const entered = Math.min(to - from, WORDS);",
    "const entered = to - from >= WORDS ? 0 : to - from;",
  ),
  bug("a late counter is not noted as taken", WINDOW, "words[word] = seen | bit;", "words[word] = seen;"),
  bug(
    "keys are not zeroed when 540 s are over",
    EXCHANGE,
    "else if (kind === PeerTimer.ZeroKeyMaterial) this.#zeroKeyMaterial(peer);",
    "else if (kind === PeerTimer.ZeroKeyMaterial) this.#releaseHandshakeIndex(peer);",
  ),
  bug(
    "the sending key of a keypair that was given back stays installed",
    POOL,
    "this.#dataPath.clearKey(keypair.sendKeySlot);",
    "",
  ),
  bug("a finished handshake keeps its ephemeral key", HANDSHAKE, "    this.ephemeralPrivate.fill(0);\n", ""),
  bug(
    "a cookie is accepted after its secret is over",
    COOKIE,
    "    if (nowMs - this.secretMadeMs >= COOKIE_SECRET_MAX_AGE_MS) return false;\n",
    "",
  ),
  bug(
    "a cookie is accepted from any source",
    RECEIVER,
    "for (let i = 0; i < SOURCE_BYTES; i++) this.#source[i]",
    "for (let i = 0; i < 2; i++) this.#source[i]",
  ),
  bug(
    "mac1 is not checked",
    RECEIVER,
    "if (cookies === undefined || !cookies.checkMac1(arena, offset, length))",
    "if (cookies === undefined)",
  ),
  bug("the inner source is not checked", RECEIVE, "if (owner !== peerId)", "if (owner < 0)"),
  bug(
    "the responder sends before its keypair is confirmed",
    EXCHANGE,
    "keypairs.next = this.#takeKeypair(peer, nowMs);",
    "keypairs.next = this.#takeKeypair(peer, nowMs);\n    if (keypairs.current === undefined) {\n      keypairs.current = keypairs.next;\n      keypairs.next = undefined;\n    }",
  ),
  bug(
    "the timestamp of an initiation is not compared",
    HANDSHAKE,
    "if (compareTai64n(trialTimestamp, handshake.lastTimestamp) <= 0) return",
    "if (compareTai64n(trialTimestamp, handshake.lastTimestamp) <= -1e9) return",
  ),
  bug("initiations are sent at any rate", EXCHANGE, "if (pauseMs <= 0) return true;", "return true;"),
  bug("attempts are not counted: a handshake is never given up", EXCHANGE, "    peer.handshakeAttempts++;\n", ""),
  bug(
    "the timestamp floor is not written",
    "src/daemon/timestamp-floor.ts",
    "      this.#directory.write(this.#name, this.#format(wantedS));\n      this.#writtenS",
    "      this.#writtenS",
  ),
  bug(
    "staged packets outlive their peer, and go to the next one of its number",
    "src/core/device/configure.ts",
    "    dropStaged(state, peer, DropReason.StagedExpired);\n    state.allowedIps",
    "    state.allowedIps",
  ),
  bug("the index of a keypair is not freed", POOL, "    this.#indices.release(keypair.localIndex);\n", ""),
  bug(
    "the endpoint follows a datagram before it is authenticated",
    RECEIVE,
    "    batch.runKey[run] = keypair.receiveKeySlot;\n",
    "    batch.runKey[run] = keypair.receiveKeySlot;\n    this.#exchange.endpointSeen(state.peers[keypair.peerId] as Peer, batch.endpoints, batch.runEndpoint[run] * ENDPOINT_BYTES, nowMs);\n",
  ),
  bug(
    "a refused source is not counted",
    RECEIVE,
    "        drops[reason]++;\n",
    "        if (reason !== DropReason.SourceNotAllowed) drops[reason]++;\n",
  ),
  bug(
    "a keypair is used beyond 180 s",
    SEND,
    "keypair.ageMs(nowMs) >= REJECT_AFTER_TIME_MS",
    "keypair.ageMs(nowMs) >= 2 * REJECT_AFTER_TIME_MS",
  ),
  bug(
    "a lost response is never asked for again",
    EXCHANGE,
    "    this.#arm(peer, PeerTimer.RetransmitHandshake, nowMs, REKEY_TIMEOUT_MS + this.jitter.nextMs());\n",
    "",
  ),
  bug("a peer that is removed keeps its preshared key", HANDSHAKE, "    this.presharedKey.fill(0);\n", ""),
  // What the simulation found in the code itself, put back.
  {
    name: "keys live 540 s from their confirmation, not from the exchange",
    edits: [
      {
        file: EXCHANGE,
        from: "    peer.statistics.cells[PeerCell.HandshakesCompleted]++;\n",
        to: "    peer.statistics.cells[PeerCell.HandshakesCompleted]++;\n    this.#arm(peer, PeerTimer.ZeroKeyMaterial, nowMs, ZERO_KEY_MATERIAL_MS);\n",
      },
    ],
  },
  bug(
    "the timer that zeroes keys forgets when the last initiation was sent",
    EXCHANGE,
    "else if (kind === PeerTimer.ZeroKeyMaterial) this.#zeroKeyMaterial(peer);",
    "else if (kind === PeerTimer.ZeroKeyMaterial) this.forgetKeys(peer);",
  ),
  bug(
    "within REKEY_TIMEOUT of a response, what is staged waits for more traffic",
    EXCHANGE,
    "    timers.armIfIdle(peer.id, PeerTimer.RetransmitHandshake, nowMs, pauseMs + this.jitter.nextMs());\n",
    "",
  ),
  bug(
    "an interface that comes up leaves alone what was staged",
    "src/core/device/device.ts",
    "peer.persistentKeepaliveMs > 0 || this.state.staged.count(peer.id) > 0",
    "peer.persistentKeepaliveMs > 0",
  ),
];
