// What wg(8) gets of a file.
import { describe, expect, test } from "vitest";
import { parseBase64Key } from "../../src/config/key.js";
import { parseGatewayConfig } from "../../src/config/load-config.js";
import { stripConfig } from "../../src/config/strip-config.js";
import { otherKey, presharedKey, privateKey, publicKey } from "./broken-interfaces.js";

function strip(
  text: string,
  change: (config: ReturnType<typeof parseGatewayConfig>["config"]) => void = () => {},
): string {
  const { config } = parseGatewayConfig(text, { interfaceName: "hq", localNetworks: [], keyIsOptional: true });
  change(config);
  return stripConfig(Buffer.from(text), config).toString();
}

describe("strip", () => {
  test("keeps the keys of wg(8) and the comments, drops the rest", () => {
    const file = `# Berlin
[Interface]
PrivateKey = ${privateKey}
Address = 10.77.0.1/24, fd77::1/64
listenport = 51820 # the firewall
FwMark = 0x10
MTU = 1420
DNS = 10.0.0.1
Table = off
PreUp = echo 1
PostUp = echo "[Peer]"
PreDown = echo 3
PostDown = echo 4
SaveConfig = true

[Peer]
# friendly_name = Lisbon
PublicKey = ${publicKey}
PresharedKey = ${presharedKey}
AllowedIPs = 10.77.0.2/32
Endpoint = lisbon.example.org:51820
PersistentKeepalive = 25

[Daemon]
Metrics = off

[Peer]
PublicKey = ${otherKey}
`;
    expect(strip(file)).toBe(`# Berlin
[Interface]
PrivateKey = ${privateKey}
listenport = 51820 # the firewall
FwMark = 0x10

[Peer]
# friendly_name = Lisbon
PublicKey = ${publicKey}
PresharedKey = ${presharedKey}
AllowedIPs = 10.77.0.2/32
Endpoint = lisbon.example.org:51820
PersistentKeepalive = 25


[Peer]
PublicKey = ${otherKey}
`);
  });

  test("puts in the keys that stand elsewhere", () => {
    const file = `[Interface]\nListenPort = 1\n[Peer]\nPublicKey = ${publicKey}\n[Peer]\nPublicKey = ${otherKey}\n`;
    const text = strip(file, ({ interface: { privateKey: own }, peers }) => {
      Object.assign(own, { bytes: parseBase64Key(privateKey), origin: { kind: "credential", name: "hq.private-key" } });
      const psk = { bytes: parseBase64Key(presharedKey), origin: { kind: "file", path: "/psk" } };
      Object.assign(peers[1]!, { presharedKey: psk });
    });
    expect(text).toBe(
      `[Interface]\nPrivateKey = ${privateKey}\nListenPort = 1\n[Peer]\nPublicKey = ${publicKey}\n[Peer]\nPresharedKey = ${presharedKey}\nPublicKey = ${otherKey}\n`,
    );
  });

  test("no byte order mark, no key where there is none", () => {
    expect(strip("\ufeff[Interface]\nListenPort = 1")).toBe("[Interface]\nListenPort = 1\n");
  });
});
