// More configuration files with mistakes: peers, [Daemon], and files that are no text.
import { type BrokenFile, otherKey, ownKey, privateKey, publicKey } from "./broken-interfaces.js";

const start = ["[Interface]", `PrivateKey = ${privateKey}`] as const;
const peer = [...start, "[Peer]", `PublicKey = ${publicKey}`] as const;

export const brokenPeers: readonly BrokenFile[] = [
  {
    name: "a DNS server that is none",
    file: [...start, "DNS = 10.0.0.999, fd00:::53, corp_.example, so/so"],
    says: [
      '3:7: DNS "10.0.0.999" is no IP address; write an address such as 10.0.0.53 or fd00::53',
      '3:19: DNS "fd00:::53" is no IP address; write an address such as 10.0.0.53 or fd00::53',
      '3:45: DNS "so/so"; write the address of a server or a search domain',
    ],
  },
  {
    name: "a routing table that is none",
    file: [...start, "Table = no-such-table"],
    says: [
      '3:9: table "no-such-table": no such routing table; write auto, off, a number, or a name that /etc/iproute2/rt_tables has',
    ],
  },
  {
    name: "the routing table of nothing",
    file: [...start, "Table = 0"],
    says: ['3:9: table "0"; write auto, off, or a number from 1 to 4294967295'],
  },
  {
    name: "a SaveConfig that is neither",
    file: [...start, "SaveConfig = yes"],
    says: ['3:14: SaveConfig "yes"; write true or false'],
  },
  {
    name: "a peer without a key",
    file: [...start, "[Peer]", "AllowedIPs = 10.99.0.2/32"],
    says: ["3:1: this [Peer] has no PublicKey; write PublicKey = the other gateway's"],
  },
  {
    name: "a peer of the interface's own key",
    file: [...start, "[Peer]", `PublicKey = ${ownKey}`],
    says: ["4:13: public key: this is the public key of this interface itself; write the other gateway's"],
  },
  {
    name: "a peer with the private key",
    file: [...start, "[Peer]", `PublicKey = ${privateKey}`],
    says: ["4:13: public key: this is the private key of this interface; write the other gateway's public key"],
  },
  {
    name: "a peer twice",
    file: [...peer, "[Peer]", `PublicKey = ${publicKey}`],
    says: ["6:13: public key of the peer in line 3 again; write one [Peer] for each key"],
  },
  {
    name: "a public key that is too long",
    file: [...start, "[Peer]", `PublicKey = x${publicKey}`],
    says: [
      '4:13: public key: 45 characters instead of 44; write 44 characters of base64 ending in "=", as longhaul genkey prints them',
    ],
  },
  {
    name: "a preshared key that is none",
    file: [...peer, "PresharedKey = secret"],
    says: [
      '5:16: preshared key: 6 characters instead of 44; write 44 characters of base64 ending in "=", as longhaul genkey prints them',
    ],
  },
  {
    name: "an allowed prefix that is none",
    file: [...peer, "AllowedIPs = 10.99.0.2/32, 192.168.1/24"],
    says: [
      '5:28: prefix "192.168.1/24": no IPv4 or IPv6 address in front of the slash; write ADDRESS/LENGTH, such as 192.0.2.0/24 or 2001:db8::/32',
    ],
  },
  {
    name: "an allowed prefix that is too long",
    file: [...peer, "AllowedIPs = 10.99.0.2/33, 2001:db8::/129"],
    says: [
      '5:14: prefix "10.99.0.2/33": the length is not a number from 0 to 32; write ADDRESS/LENGTH, such as 192.0.2.0/24 or 2001:db8::/32',
      '5:28: prefix "2001:db8::/129": the length is not a number from 0 to 128; write ADDRESS/LENGTH, such as 192.0.2.0/24 or 2001:db8::/32',
    ],
  },
  {
    name: "allowed prefixes without a comma",
    file: [...peer, "AllowedIPs = 10.99.0.2/32 192.168.1.0/24"],
    says: ['5:14: prefixes "10.99.0.2/32 192.168.1.0/24" without a comma; write a comma between prefixes'],
  },
  {
    name: "allowed prefixes with another sign between them",
    file: [...peer, "AllowedIPs = 10.99.0.2/32; 192.168.1.0/24"],
    says: ['5:14: prefixes "10.99.0.2/32; 192.168.1.0/24" without a comma; write a comma between prefixes'],
  },
  {
    name: "a comma too many",
    file: [...peer, "AllowedIPs = 10.99.0.2/32,"],
    says: ["5:27: nothing between two commas, or behind the last; write a prefix there"],
  },
  {
    name: "the same prefix on two peers",
    file: [
      ...peer,
      "AllowedIPs = 10.99.0.2/32, 192.168.1.0/24",
      "[Peer]",
      `PublicKey = ${otherKey}`,
      "AllowedIPs = 10.99.0.3/32, 192.168.1.7/24",
    ],
    says: [
      '8:28: prefix "192.168.1.0/24" is also on the peer in line 3 (line 5), and WireGuard would silently move it; write it on one peer only',
    ],
  },
  {
    name: "a default route on two peers",
    file: [
      ...peer,
      "AllowedIPs = 0.0.0.0/0, ::/0",
      "[Peer]",
      `PublicKey = ${otherKey}`,
      "AllowedIPs = 0.0.0.0/0, ::/0",
    ],
    says: [
      '8:14: prefix "0.0.0.0/0" is also on the peer in line 3 (line 5), and WireGuard would silently move it; write it on one peer only',
      '8:25: prefix "::/0" is also on the peer in line 3 (line 5), and WireGuard would silently move it; write it on one peer only',
    ],
  },
  {
    name: "an endpoint without a port",
    file: [...peer, "Endpoint = a.example.org", "[Peer]", `PublicKey = ${otherKey}`, "Endpoint = 192.0.2.1"],
    says: [
      '5:12: endpoint "a.example.org": no port; write a.example.org:51820',
      '8:12: endpoint "192.0.2.1": no port from 1 to 65535 at the end; write ADDRESS:PORT, such as 192.0.2.1:51820 or [2001:db8::1]:51820',
    ],
  },
  {
    name: "an endpoint with port 0",
    file: [...peer, "Endpoint = a.example.org:0"],
    says: ['5:12: endpoint "a.example.org:0": no port from 1 to 65535 at the end; write a.example.org:51820'],
  },
  {
    name: "an IPv6 endpoint without brackets",
    file: [...peer, "Endpoint = 2001:db8::1:51820"],
    says: ['5:12: endpoint "2001:db8::1:51820": an IPv6 address needs brackets; write [2001:db8::1]:51820'],
  },
  {
    name: "an IPv4 endpoint that is none",
    file: [...peer, "Endpoint = 192.0.2.300:51820"],
    says: [
      '5:12: endpoint "192.0.2.300:51820": no numeric IPv4 address; write ADDRESS:PORT, such as 192.0.2.1:51820 or [2001:db8::1]:51820',
    ],
  },
  {
    name: "an endpoint behind no interface",
    file: [...peer, "Endpoint = [fe80::1%nosuch0]:51820"],
    says: [
      '5:12: endpoint "[fe80::1%nosuch0]:51820": no interface "nosuch0" here; write the name or index of an interface after the %, as ip link lists them',
    ],
  },
  {
    name: "an endpoint that is a URL",
    file: [...peer, "Endpoint = udp://a.example.org:51820"],
    says: [
      '5:12: endpoint "udp://a.example.org:51820": no host name or address before the port; write HOST:PORT, such as gateway.example.org:51820',
    ],
  },
  {
    name: "an endpoint with letters beyond ASCII",
    file: [...peer, "Endpoint = büro.example.org:51820"],
    says: [
      '5:12: endpoint "b\\u00fcro.example.org:51820": a host name in a file is ASCII; write xn--bro-hoa.example.org:51820',
    ],
  },
  {
    name: "a keepalive out of range",
    file: [...peer, "PersistentKeepalive = 65536"],
    says: ['5:23: persistent keepalive "65536"; write seconds from 0 to 65535, or off'],
  },
  {
    name: "a keepalive with a unit",
    file: [...peer, "PersistentKeepalive = 25s"],
    says: ['5:23: persistent keepalive "25s"; write seconds from 0 to 65535, or off'],
  },
  {
    name: "metrics nowhere",
    file: [...start, "[Daemon]", "Metrics = 9586"],
    says: [
      '4:11: metrics address "9586"; write ADDRESS:PORT, such as 127.0.0.1:9586 or [::1]:9586, or unix:/PATH, or off',
    ],
  },
  {
    name: "metrics on and off",
    file: [...start, "[Daemon]", "Metrics = off", "Metrics = 127.0.0.1:9586"],
    says: ["5:11: Metrics is off in one line and not in another; write one of them only"],
  },
  {
    name: "metrics on a relative socket",
    file: [...start, "[Daemon]", "Metrics = unix:hq.sock"],
    says: ['4:11: metrics address "unix:hq.sock"; write unix: and an absolute path of at most 107 bytes'],
  },
  {
    name: "a log level that is none",
    file: [...start, "[Daemon]", "LogLevel = loud"],
    says: ['4:12: log level "loud"; write one of debug, info, error, silent'],
  },
  {
    name: "a cipher implementation that is none",
    file: [...start, "[Daemon]", "Aead = fast"],
    says: ['4:8: AEAD "fast"; write one of auto, ipsec-mb, openssl, native'],
  },
  {
    name: "a relative state directory",
    file: [...start, "[Daemon]", "StateDirectory = state"],
    says: ['4:18: state directory "state" is not absolute; write a path that begins with /'],
  },
  {
    name: "a file of Windows with a mistake",
    file: ["\ufeff[Interface]\r", `PrivateKey = ${privateKey}\r`, "\tMTU = big\r"],
    says: ['3:8: MTU "big"; write a decimal number from 68 to 65455'],
  },
  {
    name: "tabs and letters beyond ASCII before a mistake",
    file: [...start, "\tDNS\t=\tbüro"],
    says: ['3:8: DNS "b\\u00fcro"; write the address of a server or a search domain'],
  },
  {
    name: "a zero byte",
    file: [...start, "DNS = 10.0.0.\u0000"],
    says: ["3:14: a zero byte: this is no text, or the file was damaged; write the file anew"],
  },
  {
    name: "a very long line",
    file: [...start, `MTU = ${"9".repeat(100_000)}`],
    says: ["3:7: MTU of 100000 characters (not shown: it could be a key); write a decimal number from 68 to 65455"],
  },
  {
    name: "terminal tricks",
    file: [...start, "\u001b[2J = 1"],
    says: [
      '3:1: unknown key "\\u001b[2J" in [Interface]; write one of PrivateKey, PrivateKeyFile, ListenPort, FwMark, Address, DNS, MTU, Table, PreUp, PostUp, PreDown, PostDown, SaveConfig',
    ],
  },
  {
    name: "everything at once, in the order of the file",
    file: [
      "[Interface]",
      "ListenPort = x",
      "Bogus = 1",
      "[Peer]",
      "Endpoint = nowhere",
      "AllowedIPs = 1.2.3.4/40, 5.6.7.8/50",
    ],
    says: [
      "1:1: this [Interface] has no PrivateKey; write PrivateKey = KEY or PrivateKeyFile = PATH, or give the service the credential hq.private-key",
      '2:14: port "x"; write a decimal number from 0 to 65535',
      '3:1: unknown key "Bogus" in [Interface]; write one of PrivateKey, PrivateKeyFile, ListenPort, FwMark, Address, DNS, MTU, Table, PreUp, PostUp, PreDown, PostDown, SaveConfig',
      "4:1: this [Peer] has no PublicKey; write PublicKey = the other gateway's",
      '5:12: endpoint "nowhere": no port; write nowhere:51820',
      '6:14: prefix "1.2.3.4/40": the length is not a number from 0 to 32; write ADDRESS/LENGTH, such as 192.0.2.0/24 or 2001:db8::/32',
      '6:26: prefix "5.6.7.8/50": the length is not a number from 0 to 32; write ADDRESS/LENGTH, such as 192.0.2.0/24 or 2001:db8::/32',
    ],
  },
];
