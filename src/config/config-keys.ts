// Every section and key of a configuration file. docs/configuration.md is tested against this table.

/** Sections, as they are written. */
export const sectionNames = ["Interface", "Peer", "Daemon"] as const;
export type SectionName = (typeof sectionNames)[number];

/** Whose key it is: wg(8) takes its own from `longhaul strip`, wg-quick(8) knows its own besides, the rest is ours. */
export type KeyOwner = "wg" | "wg-quick" | "longhaul";

export interface ConfigKey {
  readonly section: SectionName;
  readonly name: string;
  readonly owner: KeyOwner;
  /** Whether it may stand more than once in its section. */
  readonly repeats: boolean;
}

export const configKeys = [
  { section: "Interface", name: "PrivateKey", owner: "wg", repeats: false },
  { section: "Interface", name: "PrivateKeyFile", owner: "longhaul", repeats: false },
  { section: "Interface", name: "ListenPort", owner: "wg", repeats: false },
  { section: "Interface", name: "FwMark", owner: "wg", repeats: false },
  { section: "Interface", name: "Address", owner: "wg-quick", repeats: true },
  { section: "Interface", name: "DNS", owner: "wg-quick", repeats: true },
  { section: "Interface", name: "MTU", owner: "wg-quick", repeats: false },
  { section: "Interface", name: "Table", owner: "wg-quick", repeats: false },
  { section: "Interface", name: "PreUp", owner: "wg-quick", repeats: true },
  { section: "Interface", name: "PostUp", owner: "wg-quick", repeats: true },
  { section: "Interface", name: "PreDown", owner: "wg-quick", repeats: true },
  { section: "Interface", name: "PostDown", owner: "wg-quick", repeats: true },
  { section: "Interface", name: "SaveConfig", owner: "wg-quick", repeats: false },
  { section: "Peer", name: "PublicKey", owner: "wg", repeats: false },
  { section: "Peer", name: "PresharedKey", owner: "wg", repeats: false },
  { section: "Peer", name: "PresharedKeyFile", owner: "longhaul", repeats: false },
  { section: "Peer", name: "AllowedIPs", owner: "wg", repeats: true },
  { section: "Peer", name: "Endpoint", owner: "wg", repeats: false },
  { section: "Peer", name: "PersistentKeepalive", owner: "wg", repeats: false },
  { section: "Daemon", name: "Metrics", owner: "longhaul", repeats: true },
  { section: "Daemon", name: "LogLevel", owner: "longhaul", repeats: false },
  { section: "Daemon", name: "Aead", owner: "longhaul", repeats: false },
  { section: "Daemon", name: "StateDirectory", owner: "longhaul", repeats: false },
] as const satisfies readonly ConfigKey[];

export type InterfaceKey = Extract<(typeof configKeys)[number], { section: "Interface" }>["name"];
export type PeerKey = Extract<(typeof configKeys)[number], { section: "Peer" }>["name"];
export type DaemonKey = Extract<(typeof configKeys)[number], { section: "Daemon" }>["name"];

/** Keys whose value is a key, or what was taken for one: never made a string, nor shown. */
export const keyKeys: ReadonlySet<string> = new Set(["PrivateKey", "PublicKey", "PresharedKey"]);

const bySection = new Map<SectionName, Map<string, ConfigKey>>(sectionNames.map((name) => [name, new Map()]));
for (const key of configKeys) bySection.get(key.section)?.set(key.name.toLowerCase(), key);

/**
 * Case does not matter. As wg(8), white space within a key of its own does not either.
 * @returns undefined when the section has no such key. Throws nothing.
 */
export function findKey(section: SectionName, text: string): ConfigKey | undefined {
  const keys = bySection.get(section);
  const lower = text.toLowerCase();
  const exact = keys?.get(lower);
  if (exact !== undefined) return exact;
  const joined = keys?.get(lower.replace(/\s/g, ""));
  return joined?.owner === "wg" ? joined : undefined;
}

/** @param content  of a line that begins with a bracket. @returns undefined for an unknown section. Throws nothing. */
export function findSection(content: string): SectionName | undefined {
  const lower = content.replace(/\s/g, "").toLowerCase();
  return sectionNames.find((name) => lower === `[${name.toLowerCase()}]`);
}

/** Names of a section's keys, in the order of the table. */
export function keyNames(section: SectionName): string[] {
  return configKeys.filter((key) => key.section === section).map((key) => key.name);
}
