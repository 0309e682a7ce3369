// The metrics of the interface, its event loop and the process: as many series for one peer as for ten thousand.

import { readdirSync } from "node:fs";
import { FlowCell } from "../core/device/ledger.js";
import { LOOP_BOUNDS_MS, LoopCell } from "../core/device/loop-statistics.js";
import { KernelCell } from "../core/device/statistics.js";
import { DropReason, dropReasonNames } from "../core/drop-reason.js";
import type { DeviceFamily, DeviceReading, LabelValues, MetricType, Sample } from "./family.js";

/** Reasons that only one direction has; the others are of the handshake, and come from the network. */
const outboundReasons: ReadonlySet<DropReason> = new Set([
  DropReason.NoRoute,
  DropReason.NoEndpoint,
  DropReason.StagedOverflow,
  DropReason.StagedExpired,
  DropReason.SendFailed,
  DropReason.TunQueueFull,
  DropReason.TunMalformed,
  DropReason.TunTooLarge,
  DropReason.SealFailed,
  DropReason.SendWouldBlock,
  DropReason.SendNoBuffers,
  DropReason.SendTooLarge,
  DropReason.SendUnreachable,
  DropReason.SendForbidden,
  DropReason.SendNoSocket,
  DropReason.RoutingLoop,
]);

const sendRefusals = [
  DropReason.SendFailed,
  DropReason.SendWouldBlock,
  DropReason.SendNoBuffers,
  DropReason.SendTooLarge,
  DropReason.SendUnreachable,
  DropReason.SendForbidden,
  DropReason.SendNoSocket,
] as const;

export const deviceFamilies: readonly DeviceFamily[] = [
  family("longhaul_build_info", "gauge", "Always 1: what runs.", ["version", "node"], ({ source }) => [
    one(1, { version: source.version, node: process.version }),
  ]),
  family(
    "longhaul_interface_info",
    "gauge",
    "Always 1: the interface, its own public key and port, what seals its packets and which super-packets it takes.",
    ["public_key", "listen_port", "aead", "tcp_segmentation", "udp_segmentation"],
    ({ facts }) => [
      one(1, {
        public_key: facts.publicKey === undefined ? "" : Buffer.from(facts.publicKey).toString("base64"),
        listen_port: String(facts.listenPort),
        aead: facts.aead,
        tcp_segmentation: facts.tcpSegmentation ? "on" : "off",
        udp_segmentation: facts.udpSegmentation ? "on" : "off",
      }),
    ],
  ),
  gauge("longhaul_ready", "1: it does its work; 0: /readyz says why not.", ({ problems }) =>
    problems.length === 0 ? 1 : 0,
  ),
  gauge("longhaul_interface_up", "1: the interface is up.", ({ facts }) => (facts.isUp ? 1 : 0)),
  gauge("longhaul_interface_mtu_bytes", "MTU of the interface.", ({ facts }) => facts.mtu),
  gauge("longhaul_peers", "Peers that are configured.", ({ statistics }) => statistics.peerCount),

  family(
    "longhaul_entered_packets_total",
    "counter",
    "Packets that came, those that the kernel lost on the way included; inbound: from the network, outbound: from this host.",
    ["direction"],
    ({ statistics: { ledger } }) => [
      one(ledger.flow[FlowCell.InboundDatagrams], { direction: "inbound" }),
      one(ledger.flow[FlowCell.OutboundPackets], { direction: "outbound" }),
    ],
  ),
  family(
    "longhaul_left_packets_total",
    "counter",
    "Packets that ended well: handed on as a packet, or taken in as a keepalive or a handshake message.",
    ["direction", "as"],
    ({ statistics: { ledger } }) => [
      one(ledger.flow[FlowCell.InboundDelivered], { direction: "inbound", as: "packet" }),
      one(ledger.flow[FlowCell.InboundKeepalives], { direction: "inbound", as: "keepalive" }),
      one(ledger.flow[FlowCell.InboundHandshakes], { direction: "inbound", as: "handshake" }),
      one(ledger.flow[FlowCell.OutboundSent], { direction: "outbound", as: "packet" }),
    ],
  ),
  family(
    "longhaul_dropped_packets_total",
    "counter",
    "Packets that were refused or lost in this host, by reason.",
    ["direction", "reason"],
    dropSamples,
  ),
  gauge("longhaul_staged_packets", "Packets that wait for a handshake now.", ({ statistics }) => statistics.staged),
  family(
    "longhaul_unaccounted_packets",
    "gauge",
    "Packets that came and that nothing accounts for: always 0, unless there is a bug.",
    ["direction"],
    ({ statistics }) => [
      one(statistics.inboundUnaccounted, { direction: "inbound" }),
      one(statistics.outboundUnaccounted, { direction: "outbound" }),
    ],
  ),
  family(
    "longhaul_kernel_lost_packets_total",
    "counter",
    "Packets that this host's kernel lost or refused, by place; each is among the drops by reason too.",
    ["place"],
    ({ statistics }) => [
      one(statistics.drops(DropReason.TunQueueFull), { place: "tun_queue" }),
      one(statistics.drops(DropReason.TunWriteFailed), { place: "tun_write" }),
      one(statistics.drops(DropReason.SocketOverflow), { place: "socket_buffer" }),
      one(
        sendRefusals.reduce((sum, reason) => sum + statistics.drops(reason), 0),
        { place: "send" },
      ),
    ],
  ),
  family(
    "longhaul_control_sent_total",
    "counter",
    "Messages that the daemon itself sent.",
    ["kind"],
    ({ statistics: { ledger } }) => [
      one(ledger.flow[FlowCell.OutboundKeepalives], { kind: "keepalive" }),
      one(ledger.flow[FlowCell.OutboundHandshakes], { kind: "handshake" }),
    ],
  ),
  counter(
    "longhaul_control_failed_total",
    "Messages of the daemon itself that the kernel refused.",
    ({ statistics: { ledger } }) => ledger.flow[FlowCell.OutboundControlFailed],
  ),
  counter(
    "longhaul_cookie_replies_sent_total",
    "Handshake messages under load that were answered with a cookie reply.",
    ({ statistics: { ledger } }) => ledger.flow[FlowCell.InboundCookied],
  ),
  counter(
    "longhaul_host_answers_total",
    "ICMP messages to this host about packets that no peer has the address of, or whose peer has no endpoint.",
    ({ statistics: { ledger } }) => ledger.flow[FlowCell.HostAnswers],
  ),

  calls("longhaul_syscalls_total", "System calls that moved packets.", {
    tun_read: KernelCell.TunReads,
    tun_write: KernelCell.TunWrites,
    udp_receive: KernelCell.UdpReceiveCalls,
    udp_send: KernelCell.UdpSendCalls,
  }),
  calls("longhaul_syscall_messages_total", "Kernel messages in these calls; one holds a packet or a run of segments.", {
    tun_read: KernelCell.TunReads,
    tun_write: KernelCell.TunWrites,
    udp_receive: KernelCell.UdpReceiveMessages,
    udp_send: KernelCell.UdpSendMessages,
  }),
  calls("longhaul_syscall_packets_total", "Packets in these calls: by calls, what the offloads are worth.", {
    tun_read: KernelCell.TunReadPackets,
    tun_write: KernelCell.TunWrittenPackets,
    udp_receive: KernelCell.UdpReceivedDatagrams,
    udp_send: KernelCell.UdpSentDatagrams,
  }),
  calls("longhaul_syscall_bytes_total", "Bytes in these calls.", {
    tun_read: KernelCell.TunReadBytes,
    tun_write: KernelCell.TunWriteBytes,
    udp_receive: KernelCell.UdpReceivedBytes,
    udp_send: KernelCell.UdpSentBytes,
  }),
  kernel(
    "longhaul_small_datagrams_total",
    "Received datagrams of up to 160 bytes that did not stand in line behind bulk: they have a socket of their own.",
    KernelCell.UdpSmallDatagrams,
  ),
  kernel(
    "longhaul_gso_refused_messages_total",
    "Messages of several segments that the kernel refused.",
    KernelCell.UdpGsoRefused,
  ),
  kernel(
    "longhaul_gso_retried_packets_total",
    "Datagrams of refused messages that were sent again singly.",
    KernelCell.UdpGsoRetried,
  ),
  kernel(
    "longhaul_tun_retried_writes_total",
    "Merged writes to the interface that the kernel refused and that were made again singly.",
    KernelCell.TunRetriedUncoalesced,
  ),
  kernel(
    "longhaul_source_cleared_total",
    "Source addresses given up because the kernel refused to send from them.",
    KernelCell.UdpSourceCleared,
  ),
  kernel(
    "longhaul_interface_tx_dropped_packets_total",
    "TX dropped of the interface, as ip -s link shows it: its queue was full.",
    KernelCell.TunTxDropped,
  ),
  kernel(
    "longhaul_interface_rx_dropped_packets_total",
    "RX dropped of the interface, as ip -s link shows it.",
    KernelCell.TunRxDropped,
  ),
  kernel(
    "longhaul_host_udp_send_errors_total",
    "Datagrams of all UDP sockets of this network namespace that found a buffer or a queue below full: the kernel tells no socket.",
    KernelCell.HostUdpSendBufferErrors,
  ),
  kernel(
    "longhaul_host_udp_checksum_errors_total",
    "Datagrams of all UDP sockets of this network namespace that came with a wrong checksum.",
    KernelCell.HostUdpChecksumErrors,
  ),

  histogram("longhaul_loop_turn_seconds", "Length of the turns of the event loop.", LoopCell.Turns, "turns"),
  histogram(
    "longhaul_loop_stall_seconds",
    "How long the event loop was away from its descriptors: packets waited meanwhile.",
    LoopCell.Absences,
    "absences",
  ),
  histogram(
    "longhaul_queue_sojourn_seconds",
    "How long packets can have waited in the queues of interface and sockets: an upper bound.",
    LoopCell.QueuedPackets,
    "queued",
  ),
  gauge(
    "longhaul_loop_stall_max_seconds",
    "The longest stall of the event loop since the start.",
    ({ statistics: { loop } }) => loop.cells[LoopCell.AbsenceMsMax] / 1_000,
  ),

  gauge(
    "process_start_time_seconds",
    "Unix time at which the process started.",
    ({ source }) => Math.round(source.startedAtMs) / 1_000,
  ),
  counter("process_cpu_seconds_total", "Processor time of the process, in the kernel too.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }),
  gauge("process_resident_memory_bytes", "Memory of the process.", () => process.memoryUsage.rss()),
  gauge("process_open_fds", "Open descriptors of the process.", () => readdirSync("/proc/self/fd").length - 1),
  gauge(
    "nodejs_heap_size_used_bytes",
    "JavaScript objects of the process, garbage that is not collected yet included.",
    () => process.memoryUsage().heapUsed,
  ),
  gauge(
    "nodejs_external_memory_bytes",
    "Memory outside of the heap that JavaScript objects hold: batches, tables, keys.",
    () => process.memoryUsage().external,
  ),
  gauge(
    "nodejs_active_resources",
    "What keeps the event loop of the process alive: sockets, timers, requests under way.",
    () => process.getActiveResourcesInfo().length,
  ),
];

function family(
  name: string,
  type: MetricType,
  help: string,
  labels: readonly string[],
  samples: DeviceFamily["samples"],
): DeviceFamily {
  return { name, type, help, labels, samples };
}

function gauge(name: string, help: string, value: (reading: DeviceReading) => number): DeviceFamily {
  return family(name, "gauge", help, [], (reading) => [one(value(reading))]);
}

function counter(name: string, help: string, value: (reading: DeviceReading) => number): DeviceFamily {
  return family(name, "counter", help, [], (reading) => [one(value(reading))]);
}

function kernel(name: string, help: string, cell: number): DeviceFamily {
  return counter(name, help, ({ statistics }) => statistics.kernel[cell]);
}

function calls(name: string, help: string, cells: Readonly<Record<string, number>>): DeviceFamily {
  return family(name, "counter", help, ["call"], ({ statistics }) =>
    Object.entries(cells).map(([call, cell]) => one(statistics.kernel[cell], { call })),
  );
}

/** Every reason, zeros too: a series that appears with its first drop shows no rate for it. */
function dropSamples({ statistics: { ledger } }: DeviceReading): Sample[] {
  const samples: Sample[] = [];
  for (let number = 1; number < dropReasonNames.length; number++) {
    const reason = dropReasonNames[number];
    const [usual, direction, otherDirection] = outboundReasons.has(number as DropReason)
      ? [ledger.outboundDrops[number], "outbound", "inbound"]
      : [ledger.inboundDrops[number], "inbound", "outbound"];
    samples.push(one(usual, { direction, reason }));
    const other = ledger.inboundDrops[number] + ledger.outboundDrops[number] - usual;
    if (other !== 0) samples.push(one(other, { direction: otherDirection, reason }));
  }
  return samples;
}

/** @param countCell  LoopCell of the count, with the sum of ms behind it */
function histogram(
  name: string,
  help: string,
  countCell: number,
  column: "turns" | "absences" | "queued",
): DeviceFamily {
  return family(name, "histogram", help, ["le"], ({ statistics: { loop } }) => {
    const samples: Sample[] = [];
    const buckets = loop[column];
    let count = 0;
    for (let i = 0; i < buckets.length; i++) {
      count += buckets[i];
      const le = i < LOOP_BOUNDS_MS.length ? floatText(LOOP_BOUNDS_MS[i] / 1_000) : "+Inf";
      samples.push({ labels: { le }, value: count, suffix: "_bucket" });
    }
    samples.push({ labels: {}, value: loop.cells[countCell + 1] / 1_000, suffix: "_sum" });
    samples.push({ labels: {}, value: count, suffix: "_count" });
    return samples;
  });
}

/** `0.25`, `1.0`: a label is text, and both formats have one text for a number. Source: OpenMetrics 1.0, "Canonical Numbers". */
function floatText(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

function one(value: number, labels: LabelValues = {}): Sample {
  return { labels, value };
}
