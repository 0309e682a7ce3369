// Reads a configuration file, wipes its keys or keeps them, and waits to be looked into. usage: node --expose-gc … PATH wipe|keep|strip
import { wipeKeys } from "../../dist/config/gateway-config.js";
import { loadGatewayConfig, readConfigFile } from "../../dist/config/load-config.js";
import { stripConfig } from "../../dist/config/strip-config.js";

const [path, what] = process.argv.slice(2);
const { config } = await loadGatewayConfig({ interfaceName: "hq", path }, { localNetworks: [] });
if (what === "strip") {
  const { bytes } = await readConfigFile(path);
  stripConfig(bytes, config).fill(0);
  bytes.fill(0);
}
if (what !== "keep") wipeKeys(config);
globalThis.gc(); //  OpenSSL zeroes the key that the public one was derived by when its object is collected
process.stdout.write("ready\n");
setInterval(() => config, 1_000);
