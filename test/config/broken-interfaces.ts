// Configuration files with mistakes, and every word that is said of each, without the file's name in front. Keys are wg(8)'s examples.

export const privateKey = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
/** Of privateKey. */
export const ownKey = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
export const publicKey = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
export const otherKey = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";

export const presharedKey = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

export interface BrokenFile {
  readonly name: string;
  /** Lines. */
  readonly file: readonly string[];
  /** Line, column, what is wrong, and the cure. */
  readonly says: readonly string[];
}

/** A file that is good so far. */
const start = ["[Interface]", `PrivateKey = ${privateKey}`] as const;
const peer = [...start, "[Peer]", `PublicKey = ${publicKey}`] as const;

export const brokenInterfaces: readonly BrokenFile[] = [
  {
    name: "an empty file",
    file: [],
    says: ["1:1: there is no [Interface]; write one, with a PrivateKey and an Address"],
  },
  {
    name: "comments only",
    file: ["# nothing yet"],
    says: ["1:1: there is no [Interface]; write one, with a PrivateKey and an Address"],
  },
  {
    name: "no [Interface]",
    file: ["[Peer]", `PublicKey = ${publicKey}`],
    says: ["1:1: there is no [Interface]; write one, with a PrivateKey and an Address"],
  },
  {
    name: "an [Interface] without a key",
    file: ["[Interface]", "Address = 10.99.0.1/24"],
    says: [
      "1:1: this [Interface] has no PrivateKey; write PrivateKey = KEY or PrivateKeyFile = PATH, or give the service the credential hq.private-key",
    ],
  },
  {
    name: "a key that no hook gives, though one speaks of it",
    file: ["[Interface]", "PreDown = wg set hq private-key /dev/null", "PostUp = echo the private-key is there"],
    says: [
      "1:1: this [Interface] has no PrivateKey; write PrivateKey = KEY or PrivateKeyFile = PATH, or give the service the credential hq.private-key",
    ],
  },
  {
    name: "a setting before any section",
    file: ["ListenPort = 51820", "[Interface]", `PrivateKey = ${privateKey}`],
    says: ['1:1: key "ListenPort" outside of any section; write [Interface] above it'],
  },
  {
    name: "a mistyped section",
    file: [...start, "[Peers]", `PublicKey = ${publicKey}`],
    says: ['3:1: unknown section "[Peers]"; did you mean [Peer]?'],
  },
  {
    name: "a section of another program",
    file: [...start, "[Unit]", "Description = VPN"],
    says: ['3:1: unknown section "[Unit]"; write [Interface], [Peer] or [Daemon]'],
  },
  {
    name: "a section that is not closed",
    file: ["[Interface", `PrivateKey = ${privateKey}`],
    says: ['1:1: unknown section "[Interface"; did you mean [Interface]?'],
  },
  {
    name: "a second [Interface]",
    file: [...start, "", "[Interface]", "ListenPort = 51820"],
    says: ["4:1: second [Interface], the first is in line 1; write everything into the first"],
  },
  {
    name: "a second [Daemon]",
    file: [...start, "[Daemon]", "LogLevel = info", "[Daemon]", "Aead = auto"],
    says: ["5:1: second [Daemon], the first is in line 3; write everything into the first"],
  },
  {
    name: "a mistyped key",
    file: [...start, "Adress = 10.99.0.1/24"],
    says: ['3:1: unknown key "Adress" in [Interface]; did you mean Address?'],
  },
  {
    name: "a shortened key",
    file: [...peer, "Keepalive = 25"],
    says: ['5:1: unknown key "Keepalive" in [Peer]; did you mean PersistentKeepalive?'],
  },
  {
    name: "an unknown key",
    file: [...peer, "Colour = blue"],
    says: [
      '5:1: unknown key "Colour" in [Peer]; write one of PublicKey, PresharedKey, PresharedKeyFile, AllowedIPs, Endpoint, PersistentKeepalive',
    ],
  },
  {
    name: "a key of another section",
    file: [...start, "Endpoint = a.example.org:51820", "[Peer]", `PublicKey = ${publicKey}`, "DNS = 10.0.0.53"],
    says: [
      "3:1: Endpoint is no key of [Interface]; write it in [Peer]",
      "6:1: DNS is no key of [Peer]; write it in [Interface]",
    ],
  },
  {
    name: "a key of wg-quick(8) with a space in it",
    file: [...start, "Post Up = echo up"],
    says: ['3:1: unknown key "Post Up" in [Interface]; did you mean PostUp?'],
  },
  {
    name: "no equals sign",
    file: [...start, "ListenPort 51820"],
    says: ["3:1: ListenPort without an equals sign; write ListenPort = value"],
  },
  {
    name: "words that are no setting",
    file: [...start, "hello there"],
    says: ['3:1: line "hello there" is no setting; write Key = value, [Section], or # and a comment'],
  },
  {
    name: "a comment as in other files",
    file: [...start, "; the firewall lets it in", "// so does the provider"],
    says: [
      '3:1: line "; the firewall lets it in" is no setting; write # in front of a comment',
      '4:1: line "// so does the provider" is no setting; write # in front of a comment',
    ],
  },
  {
    name: "nothing before the equals sign",
    file: [...start, "= 51820"],
    says: ["3:1: nothing before the equals sign; write Key = value"],
  },
  {
    name: "nothing behind the equals sign",
    file: ["[Interface]", "PrivateKey =", "ListenPort =", "[Peer]", "PublicKey ="],
    says: [
      "2:1: PrivateKey has no value; write one, or leave it out",
      "3:1: ListenPort has no value; write one, or leave it out",
      "5:1: PublicKey has no value; write one, or leave it out",
    ],
  },
  {
    name: "the same key twice",
    file: [...start, "ListenPort = 51820", "listenport = 51821"],
    says: ["4:1: second ListenPort in this section, the first is in line 3; write it once"],
  },
  {
    name: "a private key that is too short",
    file: ["[Interface]", `PrivateKey = ${privateKey.slice(0, 40)}`],
    says: [
      '2:14: private key: 40 characters instead of 44; write 44 characters of base64 ending in "=", as longhaul genkey prints them',
    ],
  },
  {
    name: "a private key that is no base64",
    file: ["[Interface]", `PrivateKey = ${"!".repeat(43)}=`],
    says: [
      '2:14: private key: not canonical base64; write 44 characters of base64 ending in "=", as longhaul genkey prints them',
    ],
  },
  {
    name: "a private key in hexadecimal",
    file: ["[Interface]", "PrivateKey = c809f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669"],
    says: [
      '2:14: private key: 64 characters instead of 44; write 44 characters of base64 ending in "=", as longhaul genkey prints them',
    ],
  },
  {
    name: "a private key of zeros",
    file: ["[Interface]", "PrivateKey = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="],
    says: ["2:14: private key: every byte is zero, which is no key; write a key of longhaul genkey"],
  },
  {
    name: "a private key without its name",
    file: ["[Interface]", `${privateKey}`],
    says: [
      "1:1: this [Interface] has no PrivateKey; write PrivateKey = KEY or PrivateKeyFile = PATH, or give the service the credential hq.private-key",
      "2:1: line of 44 characters (not shown: it could be a key) is no setting; write Key = value",
    ],
  },
  {
    name: "a private key with its name mistyped",
    file: ["[Interface]", `PrivatKey = ${privateKey}`],
    says: ['2:1: unknown key "PrivatKey" in [Interface]; did you mean PrivateKey?'],
  },
  {
    name: "a private key as an endpoint",
    file: [...peer, `Endpoint = ${privateKey}`],
    says: [
      "5:12: Endpoint of 44 characters (not shown: it could be a key); write ADDRESS:PORT, such as 192.0.2.1:51820 or [2001:db8::1]:51820",
    ],
  },
  {
    name: "a private key that a mail program broke in two",
    file: ["[Interface]", `PrivateKey = ${privateKey.slice(0, 22)}`, `${privateKey.slice(-22)}`],
    says: [
      '2:14: private key: 22 characters instead of 44; write 44 characters of base64 ending in "=", as longhaul genkey prints them',
      "3:1: line of 22 characters (not shown: it could be a key) is no setting; write Key = value",
    ],
  },
  {
    name: "two private keys",
    file: [...start, "PrivateKeyFile = /etc/longhaul/hq.key"],
    says: ["3:18: PrivateKey says another key in this section; write one of the two only"],
  },
  {
    name: "a key file that is not there",
    file: ["[Interface]", "PrivateKeyFile = /nonexistent/hq.key"],
    says: ['2:18: private key: "/nonexistent/hq.key" does not exist; write the path of a key file'],
  },
  {
    name: "a credential that was not given",
    file: ["[Interface]", "PrivateKeyFile = credential:hq"],
    says: [
      '2:18: private key: this service was given no credential "hq"; write LoadCredential=hq:PATH into its unit, or a path instead',
    ],
  },
  {
    name: "an address that is none",
    file: [...start, "Address = 10.99.0.256/24, fd00::1/64"],
    says: [
      '3:11: address "10.99.0.256/24": no IPv4 or IPv6 address in front of the slash; write ADDRESS/LENGTH, such as 10.99.0.1/24 or fd00::1/64',
    ],
  },
  {
    name: "an address with too long a prefix",
    file: [...start, "Address = 10.99.0.1/33 fd00::1/129"],
    says: [
      '3:11: address "10.99.0.1/33": the length is not a number from 0 to 32; write ADDRESS/LENGTH, such as 10.99.0.1/24 or fd00::1/64',
      '3:24: address "fd00::1/129": the length is not a number from 0 to 128; write ADDRESS/LENGTH, such as 10.99.0.1/24 or fd00::1/64',
    ],
  },
  {
    name: "ports out of range",
    file: [...start, "ListenPort = 65536", "[Peer]", `PublicKey = ${publicKey}`, "Endpoint = 192.0.2.1:65536"],
    says: [
      '3:14: port "65536"; write a decimal number from 0 to 65535',
      '6:12: endpoint "192.0.2.1:65536": no port from 1 to 65535 at the end; write ADDRESS:PORT, such as 192.0.2.1:51820 or [2001:db8::1]:51820',
    ],
  },
  {
    name: "a port that is no number",
    file: [...start, "ListenPort = wireguard"],
    says: ['3:14: port "wireguard"; write a decimal number from 0 to 65535'],
  },
  {
    name: "a mark that is none",
    file: [...start, "FwMark = 0xgg"],
    says: ['3:10: fwmark "0xgg"; write a number from 0 to 4294967295, decimal or 0x…, or off'],
  },
  {
    name: "an MTU that no interface can have",
    file: [...start, "MTU = 67"],
    says: ['3:7: MTU "67"; write a decimal number from 68 to 65455'],
  },
  {
    name: "an MTU beyond any datagram",
    file: [...start, "MTU = 65536"],
    says: ['3:7: MTU "65536"; write a decimal number from 68 to 65455'],
  },
  {
    name: "an MTU too small for IPv6",
    file: [...start, "Address = 10.99.0.1/24, fd00::1/64", "MTU = 1279"],
    says: ['4:7: MTU "1279" is too small for the IPv6 address "fd00::1/64"; write 1280 or more'],
  },
];
