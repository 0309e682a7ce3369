import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { optionsBySubcommand, readText, subcommands } from "./command-line.js";

const scripts = ["longhaul.bash", "_longhaul", "longhaul.fish"].map((name) => `packaging/completions/${name}`);

/** Every word of a line of bash, completed at its end. */
describe("completion in bash", () => {
  const root = mkdtempSync(join(tmpdir(), "longhaul-completion-"));
  const servers: Server[] = [];
  let script: string;

  beforeAll(async () => {
    for (const directory of ["etc/longhaul", "etc/wireguard", "run/longhaul", "sub"])
      mkdirSync(join(root, directory), { recursive: true });
    for (const path of ["etc/longhaul/hq.conf", "etc/wireguard/wg0.conf", "etc/wireguard/hq.conf", "sub/site.conf"])
      writeFileSync(join(root, path), "[Peer]\n# friendly_name = Lisbon office\n");
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(join(root, "run/longhaul/hq.sock"), resolve));
    script = readText("packaging/completions/longhaul.bash").replace(
      /(\/etc|\/var\/run|\/run)\/(longhaul|wireguard)/g,
      `${root}$&`,
    );
  });

  afterAll(() => {
    for (const server of servers) server.close();
    rmSync(root, { recursive: true, force: true });
  });

  function complete(...words: string[]): string[] {
    const quoted = words.map((word) => `'${word}'`).join(" ");
    const line = `COMP_WORDS=(longhaul ${quoted}); COMP_CWORD=${words.length}; _longhaul; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync("bash", ["--norc", "-c", `${script}\n${line}`], { encoding: "utf8", cwd: root });
    return output.split("\n").filter((word) => word !== "");
  }

  test("offers every subcommand, and nothing else", () => {
    expect(complete("").sort()).toEqual(subcommands().sort());
    expect(complete("re")).toEqual(["reload"]);
  });

  test("offers the options of each subcommand, and nothing else", () => {
    for (const [name, options] of optionsBySubcommand()) {
      const offered = name === "" ? complete("-") : complete(name, "-");
      const long = offered.filter((word) => word.startsWith("--") && !["--help", "--version"].includes(word));
      expect(long.sort(), name).toEqual(options.map((option) => `--${option}`));
    }
  });

  test("offers names of configurations where a file is wanted, and files by their path", () => {
    expect(complete("up", "")).toEqual(["hq", "wg0"]);
    expect(complete("run", "--aead", "native", "w")).toEqual(["wg0"]);
    expect(complete("up", "./s")).toEqual(["./sub/"]);
    expect(complete("up", "./sub/")).toEqual(["./sub/site.conf"]);
  });

  test("offers what runs where a running interface is wanted", () => {
    expect(complete("reload", "")).toEqual(["hq"]);
    expect(complete("down", "w")).toEqual([]);
    expect(complete("show", "")).toEqual(["all", "hq", "interfaces"]);
  });

  test("offers peers by their names, a space in them escaped, where one is wanted", () => {
    expect(complete("why", "").sort()).toEqual(["Lisbon\\ office", "all", "hq"]);
    expect(complete("why", "L")).toEqual(["Lisbon\\ office"]);
  });

  test("offers the values of options", () => {
    expect(complete("up", "--log-level", "s")).toEqual(["silent"]);
    expect(complete("--aead", "ips")).toEqual(["ipsec-mb"]);
  });
});

test("every shell knows every subcommand and every option", () => {
  for (const path of scripts) {
    const text = readText(path);
    for (const name of subcommands()) expect(text, `${path}: ${name}`).toMatch(new RegExp(`\\b${name}\\b`));
    const dashes = path.endsWith(".fish") ? "-l " : "--";
    for (const option of new Set([...optionsBySubcommand().values()].flat()))
      expect(text, `${path}: ${option}`).toMatch(new RegExp(`${dashes}${option}\\b`));
  }
});
