// The tables of the interface: where packets went, what a system call moves, how the event loop fares.

import { at, setRows } from "./elements.js";
import { countText, millisecondsText, percentText, reasonText } from "./quantities.js";

export function showTables(status) {
  const { inbound, outbound } = status.ledger;
  showLedger("outbound", outbound, [
    ["came", outbound.in],
    ["sent to a peer", outbound.sent],
    ["wait for a handshake", outbound.staged],
  ]);
  showLedger("inbound", inbound, [
    ["came", inbound.in],
    ["handed to this host", inbound.delivered],
    ["keepalives", inbound.keepalives],
    ["handshake messages", inbound.handshakes],
  ]);
  showOffloads(status.offloads);
  showLoop(status.loop);
}

function showLedger(id, { drops, unaccounted, ...ledger }, lines) {
  const row = (text, packets, kind) => ({
    cells: [text, countText(packets), ledger.in === 0 ? "–" : percentText(packets / ledger.in)],
    kind,
  });
  setRows(at(id).tBodies[0], [
    ...lines.map(([text, packets]) => row(text, packets)),
    ...drops.map(({ reason, packets }) => row(`dropped: ${reasonText(reason)}`, packets, "dropped")),
    row("unaccounted for", unaccounted, unaccounted === 0 ? "" : "dropped"),
  ]);
}

function showOffloads(offloads) {
  const row = (text, calls, packets) => ({
    cells: [text, countText(calls), calls === 0 ? "–" : (packets / calls).toFixed(1)],
  });
  setRows(at("offloads").tBodies[0], [
    row("read from the interface", offloads.tunReads, offloads.tunReadPackets),
    row("write to the interface", offloads.tunWrites, offloads.tunWrittenPackets),
    row("receive from the network", offloads.udpReceiveCalls, offloads.udpReceivedDatagrams),
    row("send to the network", offloads.udpSendCalls, offloads.udpSentDatagrams),
  ]);
}

function showLoop(loop) {
  const row = (text, count, sum, max) => ({
    cells: [text, millisecondsText(count === 0 ? null : sum / count), millisecondsText(max)],
  });
  setRows(at("loop").tBodies[0], [
    row("a turn takes", loop.turns, loop.turnSecondsSum, loop.turnSecondsMax),
    row("away from its packets", loop.absences, loop.absenceSecondsSum, loop.absenceSecondsMax),
    row("a packet waits, at most", loop.queuedPackets, loop.queuedSecondsSum, loop.queuedSecondsMax),
  ]);
}
