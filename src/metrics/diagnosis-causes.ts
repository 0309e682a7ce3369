// Every cause that `longhaul why` can name, the ones that explain most first. docs/why.md has the same table; a test compares them.

/** How sure a finding is: a counter says it; it fits best; it fits. */
export type Confidence = "known" | "likely" | "possible";

export interface Cause {
  /** A few words, for a heading. */
  readonly title: string;
  /** What it is seen by. */
  readonly seenBy: string;
  /** While it lasts nothing passes at all, so that silence needs no other explanation. */
  readonly blocks: boolean;
}

function blocking(title: string, seenBy: string): Cause {
  return { title, seenBy, blocks: true };
}

function hindering(title: string, seenBy: string): Cause {
  return { title, seenBy, blocks: false };
}

/** By name, in the order in which findings are told. */
export const causes = {
  interface_down: blocking("the interface is down", "the interface's flags"),
  no_private_key: blocking("the interface has no private key", "the device's own key"),
  own_key: blocking("the peer has this device's own public key", "both keys"),
  no_allowed_ips: blocking("the peer has no AllowedIPs", "the peer's AllowedIPs"),
  not_in_allowed_ips: blocking("no peer has this address", "AllowedIPs of all peers; drops `no_route`"),
  name_not_found: blocking("the endpoint's name is not found", "lookups of the name in the file"),
  no_endpoint: blocking("the peer has no endpoint", "the peer's endpoint; drops `no_endpoint`"),
  endpoint_is_here: blocking("the endpoint is an address of this host", "the kernel's way to the endpoint"),
  endpoint_in_tunnel: blocking(
    "the way to the endpoint leads into the tunnel",
    "the kernel's way to the endpoint; drops `routing_loop`",
  ),
  no_route: blocking("this host has no way to the endpoint", "sends refused as `send_unreachable`; the kernel's way"),
  firewall_here: blocking("a firewall of this host forbids sending", "sends refused as `send_forbidden`"),
  no_socket: blocking("no socket of the endpoint's address family", "sends refused as `send_no_socket`"),
  wrong_psk: blocking("the preshared keys differ", "responses refused as `handshake_invalid`"),
  wrong_key_here: blocking(
    "another key calls from this endpoint than the one configured here",
    "refusals `unknown_peer` from the peer's endpoint",
  ),
  wrong_key_there: blocking(
    "the other side has another key for this device",
    "refusals `mac1_invalid` from the peer's endpoint",
  ),
  clock_went_back: blocking("the other side's clock went back", "initiations refused as `timestamp_replayed`"),
  under_load_there: blocking("the other side is under load", "cookie replies instead of responses"),
  under_load_here: blocking("this device is under load", "refusals `under_load` and `rate_limited`"),
  answers_unconfirmed: blocking(
    "the peer calls, and does not take our answers",
    "good initiations, responses sent, no handshake completed",
  ),
  stopped_answering: blocking("the peer has stopped answering", "initiations without an answer, after handshakes"),
  never_answered: blocking("the peer has never answered", "initiations without any answer"),
  not_routed_here: blocking("this host sends the peer's addresses elsewhere", "the kernel's way to AllowedIPs"),
  never_tried: blocking("nothing was ever sent to the peer", "no packet, no initiation either way"),
  two_machines: hindering("one key on two machines", "initiations refused as `initiation_flood`"),
  source_not_allowed: hindering("packets from sources that the peer may not use", "drops `source_not_allowed`"),
  only_keepalives: hindering(
    "the peer takes packets and sends none back",
    "keepalives received, packets sent, none received",
  ),
  corrupted: hindering("packets arrive damaged or forged", "drops `authentication_failed`"),
  mtu_too_large: hindering("full packets do not fit the way", "the MTU of the kernel's way; drops `send_too_large`"),
  large_packets_lost: hindering("large packets are lost on the path", "loss while only small packets arrive"),
  socket_overflow: hindering("the UDP socket's receive buffer overflows", "drops `socket_overflow`"),
  tun_queue_full: hindering("the interface's queue overflows", "drops `tun_queue_full`"),
  send_buffer_full: hindering("sends are refused for want of room", "drops `send_would_block` and `send_no_buffers`"),
  interface_refuses: hindering("the interface refuses packets", "drops `tun_write_failed` and `interface_down`"),
  loop_stalls: hindering("the daemon was held up", "the longest absence of the event loop"),
  endpoint_flapping: hindering("the peer's endpoint keeps changing", "endpoint changes"),
  path_loss: hindering("packets are lost on the path", "gaps in the peer's counters"),
  reordering: hindering("packets arrive far out of order", "late counters; drops `counter_too_old`"),
  handshake_replayed: hindering("old handshake messages come again", "`timestamp_replayed` from a peer that is up"),
  packets_replayed: hindering("packets come twice", "drops `counter_replayed`"),
  packets_late: hindering("packets come after their key's end", "drops `keypair_expired`"),
  bad_inner_packets: hindering("the peer sends what is no valid packet", "drops `inner_malformed` and `ecn_invalid`"),
} as const satisfies Record<string, Cause>;

export type CauseName = keyof typeof causes;

export const causeNames = Object.keys(causes) as readonly CauseName[];
