// Rules of the diagnosis: what is wrong with the configuration or with this host's ways, so that nothing can pass at all.

import type { Finding, Rule } from "./diagnosis-finding.js";
import { addressOf, type DiagnosisView } from "./diagnosis-view.js";

export const configurationRules: readonly Rule[] = [
  interfaceDown,
  noPrivateKey,
  ownKey,
  noAllowedIps,
  nameNotFound,
  noEndpoint,
  endpointIsHere,
  endpointInTunnel,
  noRoute,
  firewallHere,
  noSocket,
  notRoutedHere,
  notInAllowedIps,
];

/** Fewer are the kernel's own multicast. */
const STRAYS_MIN = 3;

/** For what is a fact as long as the configuration stands. */
const certain = { confidence: "known", isActive: true } as const;

function interfaceDown(view: DiagnosisView): Finding | undefined {
  if (view.now.head.interface.isUp !== false) return undefined;
  return {
    cause: "interface_down",
    ...certain,
    says: `${view.interfaceName} is down: the daemon neither sends nor listens`,
    evidence: ["the interface lacks the flag UP"],
    next: [{ text: "bring it up", command: `ip link set ${view.interfaceName} up` }],
  };
}

function noPrivateKey(view: DiagnosisView): Finding | undefined {
  if (view.now.head.interface.publicKey !== null) return undefined;
  return {
    cause: "no_private_key",
    ...certain,
    says: `${view.interfaceName} has no private key: nobody is spoken to and nobody is heard`,
    evidence: ["no private key is set"],
    next: [{ text: "set it", command: `wg set ${view.interfaceName} private-key FILE` }],
  };
}

function ownKey(view: DiagnosisView): Finding | undefined {
  if (view.peer.publicKey !== view.now.head.interface.publicKey) return undefined;
  return {
    cause: "own_key",
    ...certain,
    says: "the peer's public key is this device's own",
    evidence: [`both are ${view.peer.publicKey}`],
    next: [
      {
        text: "ask the other side for its key (there: wg show INTERFACE public-key), and take this peer away",
        command: view.wgSet("remove"),
      },
    ],
  };
}

function noAllowedIps(view: DiagnosisView): Finding | undefined {
  if (view.peer.allowedIps.length > 0) return undefined;
  return {
    cause: "no_allowed_ips",
    ...certain,
    says: "without AllowedIPs no packet is sent to this peer, and none is taken from it",
    evidence: ["AllowedIPs is empty; a prefix that another peer was given later is taken away from this one"],
    next: [{ text: "give it the addresses behind it", command: view.wgSet("allowed-ips 10.0.0.2/32") }],
  };
}

function nameNotFound(view: DiagnosisView): Finding | undefined {
  const name = view.details?.endpointName;
  if (name?.problem == null || view.peer.endpoint !== null) return undefined;
  return {
    cause: "name_not_found",
    ...certain,
    says: `the file has ${name.host} for the peer's endpoint, and that name is not found; it is tried again in the background`,
    evidence: [`the last lookup: ${name.problem}`],
    next: [
      { text: "look it up", command: `getent ahosts ${name.host}` },
      { text: "is the name server reachable without this tunnel?", command: "cat /etc/resolv.conf" },
    ],
  };
}

function noEndpoint(view: DiagnosisView): Finding | undefined {
  if (view.peer.endpoint !== null || view.details?.endpointName?.problem != null) return undefined;
  const dropped = view.drops("no_endpoint");
  const isNamed = view.details?.handshakes.initiationsReceived === 0;
  return {
    cause: "no_endpoint",
    ...certain,
    says: "this device does not know where the peer is: it has no endpoint, and it has not called",
    evidence: [
      "no endpoint is set",
      ...(dropped.total > 0 ? [`refused as no_endpoint: ${view.countText(dropped)}`] : []),
      ...(isNamed ? ["initiations of the peer: 0"] : []),
    ],
    next: [
      { text: "set it", command: view.wgSet("endpoint HOST:PORT") },
      { text: "or let the peer call: it needs this device as Endpoint, and PersistentKeepalive = 25 behind NAT" },
    ],
  };
}

function endpointIsHere(view: DiagnosisView): Finding | undefined {
  const { endpoint } = view.peer;
  if (endpoint === null || view.host?.outer?.isLocal !== true || isLoopback(addressOf(endpoint))) return undefined;
  return {
    cause: "endpoint_is_here",
    confidence: "likely",
    isActive: view.state !== "up",
    says: `the endpoint ${endpoint} is an address of this host`,
    evidence: [`ip route get ${addressOf(endpoint)} says: local`],
    next: [{ text: "set the peer's own address", command: view.wgSet("endpoint HOST:PORT") }],
  };
}

/** Tunnels over a local proxy are built so. */
function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

function endpointInTunnel(view: DiagnosisView): Finding | undefined {
  const { endpoint } = view.peer;
  if (endpoint === null || view.host?.outer?.device !== view.interfaceName) return undefined;
  const address = addressOf(endpoint);
  const returned = view.drops("routing_loop");
  return {
    cause: "endpoint_in_tunnel",
    ...certain,
    says: `datagrams for ${endpoint} are routed into ${view.interfaceName} itself, and so never leave`,
    evidence: [
      `ip route get ${address} says: dev ${view.interfaceName}`,
      ...(returned.total > 0 ? [`refused as routing_loop: ${view.countText(returned)}`] : []),
    ],
    next: [
      { text: "see which route does it", command: `ip route get ${address}` },
      { text: "take the endpoint out of AllowedIPs, or let longhaul up or wg-quick(8) set the rules of a full tunnel" },
    ],
  };
}

function noRoute(view: DiagnosisView): Finding | undefined {
  const { endpoint } = view.peer;
  if (endpoint === null) return undefined;
  const wayless = view.host?.outer !== undefined && view.host.outer.device === undefined;
  const refused = refusedSends(view, "send_unreachable");
  if (!wayless && !refused.isActive) return undefined;
  const address = addressOf(endpoint);
  return {
    cause: "no_route",
    ...certain,
    says: `this host has no way to ${endpoint}`,
    evidence: [...refused.evidence, ...(wayless ? [`ip route get ${address} finds none`] : [])],
    next: [
      { text: "see what the kernel says", command: `ip route get ${address}` },
      { text: "check the default route and the interface below", command: "ip route; ip -brief link" },
    ],
  };
}

function firewallHere(view: DiagnosisView): Finding | undefined {
  const refused = refusedSends(view, "send_forbidden");
  if (!refused.isActive) return undefined;
  return {
    cause: "firewall_here",
    ...certain,
    says: `a firewall of this host forbids sending to ${view.peer.endpoint}`,
    evidence: refused.evidence,
    next: [{ text: "look at the output chains", command: "nft list ruleset" }],
  };
}

function noSocket(view: DiagnosisView): Finding | undefined {
  const refused = refusedSends(view, "send_no_socket");
  if (!refused.isActive) return undefined;
  return {
    cause: "no_socket",
    ...certain,
    says: `this host has no socket for the address family of ${view.peer.endpoint}`,
    evidence: refused.evidence,
    next: [{ text: "see whether IPv6 is off here", command: "sysctl net.ipv6.conf.all.disable_ipv6" }],
  };
}

/** What the kernel refused to send to the peer for one reason, handshake messages included. */
function refusedSends(view: DiagnosisView, reason: string): { isActive: boolean; evidence: string[] } {
  const drops = view.details?.drops;
  const dropped = view.drops(reason);
  const isLast =
    drops?.lastSendRefusedReason === reason &&
    view.isRecent(drops.lastSendRefusedAtMs) &&
    (view.details?.lastReceivedAtMs ?? 0) <= (drops.lastSendRefusedAtMs ?? 0);
  const sends = view.count(({ peer }) => peer.drops?.sendsRefused ?? 0);
  return {
    isActive: isLast || dropped.moved > 0,
    evidence: [
      ...(isLast ? [`the last send was refused as ${reason}; refused: ${view.countText(sends, "send")}`] : []),
      ...(dropped.total > 0 ? [`data refused as ${reason}: ${view.countText(dropped)}`] : []),
    ],
  };
}

function notRoutedHere(view: DiagnosisView): Finding | undefined {
  const ways = view.host?.inner ?? [];
  const elsewhere = ways.filter(({ device }) => device !== view.interfaceName);
  if (ways.length === 0 || elsewhere.length < ways.length) return undefined;
  const sent = view.count(({ peer }) => peer.traffic?.sentPackets ?? 0);
  return {
    cause: "not_routed_here",
    confidence: "known",
    isActive: sent.moved === 0,
    says: `this host does not send the peer's addresses into ${view.interfaceName}`,
    evidence: elsewhere.map(({ address, device, isLocal }) => {
      const where = isLocal ? "this host itself" : device === undefined ? "no route" : `dev ${device}`;
      return `ip route get ${address} says: ${where}`;
    }),
    next: view.peer.allowedIps.slice(0, 1).map((prefix) => ({
      text: "add the route (longhaul up and wg-quick(8) do it for every prefix in AllowedIPs)",
      command: `ip route add ${prefix} dev ${view.interfaceName}`,
    })),
  };
}

function notInAllowedIps(view: DiagnosisView): Finding | undefined {
  const dropped = view.deviceDrops("no_route");
  if (dropped.moved < STRAYS_MIN) return undefined;
  return {
    cause: "not_in_allowed_ips",
    confidence: "possible",
    isActive: true,
    says: `packets come to ${view.interfaceName} for addresses that no peer has in its AllowedIPs`,
    evidence: [`refused as no_route: ${view.countText(dropped)}, whichever peer they were meant for`],
    next: [
      { text: "see which address has no peer", command: `wg show ${view.interfaceName} allowed-ips` },
      { text: "see where the packets go", command: `tcpdump -n -i ${view.interfaceName}` },
    ],
  };
}
