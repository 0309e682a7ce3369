// docs/configuration.md says what the code's table of keys says, and its example is a good file with every key in it.
import { describe, expect, test } from "vitest";
import { configKeys, keyNames, sectionNames } from "../../src/config/config-keys.js";
import { aeadChoices, logLevels } from "../../src/config/daemon-choices.js";
import { parseGatewayConfig } from "../../src/config/load-config.js";
import { readProjectFile } from "./project.js";

const document = readProjectFile("docs/configuration.md");

function sectionOf(name: string): string {
  return document.split(/^## /m).find((part) => part.startsWith(`[${name}]\n`)) ?? "";
}

describe("docs/configuration.md", () => {
  test.each(sectionNames)("[%s] has the keys that the code has, in order", (section) => {
    const rows = [...sectionOf(section).matchAll(/^\| `(\w+)` \| (\S+) \| (yes|no) \|/gm)];
    const documented = rows.map(([, name, owner, repeats]) => [name, owner?.replace("(8)", ""), repeats === "yes"]);
    const keys = configKeys.filter((key) => key.section === section);
    expect(documented).toEqual(keys.map(({ name, owner, repeats }) => [name, owner, repeats]));
  });

  test("the choices that the code has", () => {
    for (const choice of [...aeadChoices, ...logLevels]) expect(sectionOf("Daemon")).toContain(`\`${choice}\``);
  });

  test("the example is good, and has every key", () => {
    const [, example = ""] = /^```ini\n(# Berlin\n[\s\S]*?)^```/m.exec(document) ?? [];
    const { warnings } = parseGatewayConfig(example, { interfaceName: "hq", localNetworks: [] });
    expect(warnings).toEqual([]);
    const said = new Set([...example.matchAll(/^(\w+) =/gm)].map(([, key]) => key));
    const elsewhere = ["PrivateKeyFile", "PresharedKeyFile"]; //  instead of the keys themselves
    expect([...said].sort()).toEqual(
      [...new Set(sectionNames.flatMap(keyNames))].filter((key) => !elsewhere.includes(key)).sort(),
    );
  });
});
