// Completions in real zsh and fish. What bash offers is tested in test/packaging/, with every change.
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { requireTools } from "../support/require-tools.js";

const directory = fileURLToPath(new URL("../../packaging/completions", import.meta.url));

describe("completion in other shells", requireTools(["zsh", "fish"]), () => {
  test("fish offers subcommands, options and the values of options", () => {
    const complete = (line: string): string[] =>
      execFileSync("fish", ["--no-config", "-c", `source ${directory}/longhaul.fish; complete -C '${line}'`], {
        encoding: "utf8",
      })
        .split("\n")
        .map((text) => text.split("\t")[0] as string);
    expect(complete("longhaul re")).toContain("reload");
    expect(complete("longhaul up --")).toEqual(expect.arrayContaining(["--dry-run", "--json", "--log-level"]));
    expect(complete("longhaul up --log-level s")).toContain("silent");
    expect(complete("longhaul down --")).not.toContain("--log-level");
  });

  test("zsh completes subcommands, options and the values of options", () => {
    // Types the line and a tab into a shell on a terminal of its own, and waits for what stands there then.
    const script = `
      zmodload zsh/zpty
      zpty -b shell zsh -f -i
      until_shown() {
        local part output= i
        for ((i = 0; i < 300; i++)); do
          while zpty -r -t shell part; do output+=$part; done
          [[ $output == *$1* ]] && return
          sleep 0.1
        done
        print -r -- "not shown: $1 in $output"
        exit 1
      }
      zpty -w shell 'PROMPT=; fpath=(${directory} $fpath); autoload -Uz compinit && compinit -u -D; print rea""dy'
      until_shown ready
      zpty -w -n shell "$1"$'\\t'
      until_shown $2
      zpty -d shell`;
    const expectCompletion = (typed: string, shown: string): void => {
      const { status, stdout } = spawnSync("zsh", ["-f", "-c", script, "zsh", typed, shown], { encoding: "utf8" });
      expect(status, stdout).toBe(0);
    };
    expectCompletion("longhaul rel", "longhaul reload");
    expectCompletion("longhaul up --js", "longhaul up --json");
    expectCompletion("longhaul up --log-level s", "longhaul up --log-level silent");
  });
});
