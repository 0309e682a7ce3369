// HOT PATH: where every packet went. Counters in typed arrays; the law: in = out + Σ drops + staged now.

import { DROP_REASON_COUNT, type DropReason } from "../drop-reason.js";

/** Cells of {@link Ledger.flow}; packets. */
export const FlowCell = {
  /** Datagrams that came for this device: those that a socket delivered and those lost on the way to it in this host. */
  InboundDatagrams: 0,
  /** Datagrams that ended as a keepalive. */
  InboundKeepalives: 1,
  /** Handshake messages that did what they are for. */
  InboundHandshakes: 2,
  /** Inner packets that the TUN took. */
  InboundDelivered: 3,
  /** Inner packets for the tunnel: those that the TUN gave and those lost in its queue. */
  OutboundPackets: 4,
  /** Transport data that the kernel took, keepalives not counted. */
  OutboundSent: 5,
  OutboundKeepalives: 6,
  OutboundHandshakes: 7,
  /** Own keepalives and handshake messages that the kernel refused. */
  OutboundControlFailed: 8,
  /** Datagrams under load that were answered with a cookie reply. */
  InboundCookied: 9,
  /** ICMP messages to this host about packets that go nowhere; outside the law. */
  HostAnswers: 10,
} as const;
const FLOW_CELLS = 11;

export class Ledger {
  readonly flow = new Float64Array(FLOW_CELLS);
  /** Packets refused, indexed by DropReason: what came from the network. */
  readonly inboundDrops = new Float64Array(DROP_REASON_COUNT);
  /** Packets refused, indexed by DropReason: what came from the TUN. */
  readonly outboundDrops = new Float64Array(DROP_REASON_COUNT);

  /** `count` datagrams came to this host and were lost before the device saw them. */
  lostBeforeInbound(reason: DropReason, count: number): void {
    this.flow[FlowCell.InboundDatagrams] += count;
    this.inboundDrops[reason] += count;
  }

  /** `count` packets were routed into the tunnel and lost before the device saw them. */
  lostBeforeOutbound(reason: DropReason, count: number): void {
    this.flow[FlowCell.OutboundPackets] += count;
    this.outboundDrops[reason] += count;
  }

  /** @returns packets that the inbound law cannot account for; 0 unless there is a bug. */
  inboundUnaccounted(): number {
    const f = this.flow;
    const gone =
      f[FlowCell.InboundDelivered] +
      f[FlowCell.InboundKeepalives] +
      f[FlowCell.InboundHandshakes] +
      total(this.inboundDrops);
    return f[FlowCell.InboundDatagrams] - gone;
  }

  /**
   * @param stagedNow packets that wait for a keypair
   * @returns packets that the outbound law cannot account for; 0 unless there is a bug.
   */
  outboundUnaccounted(stagedNow: number): number {
    const f = this.flow;
    return f[FlowCell.OutboundPackets] - f[FlowCell.OutboundSent] - total(this.outboundDrops) - stagedNow;
  }
}

function total(column: Float64Array): number {
  let sum = 0;
  for (let i = 1; i < column.length; i++) sum += column[i];
  return sum;
}
