import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parseBase64Key } from "../../src/config/key.js";
import { derivePublicKey } from "../../src/config/public-key.js";
import { requireTools } from "../support/require-tools.js";
import { CompiledCli } from "./compiled-cli.js";

let cli: CompiledCli;
beforeAll(() => {
  cli = new CompiledCli();
}, 120_000); //  it compiles
afterAll(() => cli.remove());

const PRIVATE_KEY = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const PUBLIC_KEY = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw="; //  by wg(8)

describe("genkey and genpsk", () => {
  test("print one canonical key each, never the same, and nothing else", () => {
    const keys = ["genkey", "genkey", "genpsk", "genpsk"].map((name) => {
      const { status, stdout, stderr } = cli.run([name]);
      expect([status, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/^.{44}\n$/);
      return parseBase64Key(stdout.trimEnd());
    });
    expect(new Set(keys.map(String)).size).toBe(4);
    for (const key of keys.slice(0, 2)) {
      expect([key[0] & 7, key[31] & 0xc0]).toEqual([0, 0x40]); //  clamped, RFC 7748 5
    }
  });

  test("a world accessible file is warned about, a private one is not", () => {
    const directory = mkdtempSync(join(tmpdir(), "longhaul-cli-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    for (const [mode, warning] of [
      [0o644, "longhaul: warning: writing to a world accessible file; set the umask to 077 and try again\n"],
      [0o600, ""],
      [0o660, ""], //  for a group, which wg(8) does not mind either
    ] as const) {
      const path = join(directory, String(mode));
      const fd = openSync(path, "w");
      chmodSync(path, mode);
      const { stderr } = spawnSync(cli.program, ["genkey"], { stdio: ["ignore", fd, "pipe"], encoding: "utf8" });
      expect(stderr).toBe(warning);
      expect(statSync(path).size).toBe(45);
    }
  });

  test("take no arguments", () => {
    for (const args of [
      ["genkey", "x"],
      ["genpsk", "x", "y"],
      ["pubkey", "x"],
    ]) {
      expect(cli.run(args)).toEqual({
        status: 2,
        stdout: "",
        stderr: `longhaul: ${args[0]} takes no arguments; see longhaul --help\n`,
      });
    }
  });

  test("a full disk is a failure, a reader that went away is none", () => {
    const full = spawnSync(cli.program, ["genkey"], {
      stdio: ["ignore", openSync("/dev/full", "w"), "pipe"],
      encoding: "utf8",
    });
    expect(full.status).toBe(1);
    expect(full.stderr).toContain("ENOSPC");
    const gone = spawnSync("sh", ["-c", `(sleep 0.3; "$0" --help; echo "status $?" >&2) | true`, cli.program], {
      encoding: "utf8",
    });
    expect(gone.stderr).toBe("status 0\n");
  });
});

describe("pubkey", () => {
  test.each([
    ["with a line end", `${PRIVATE_KEY}\n`],
    ["without", PRIVATE_KEY],
    ["with all that wg(8) lets follow", `${PRIVATE_KEY}\0 \v\f\r\n\t\n${" ".repeat(10_000)}`],
  ])("prints the public key of a private key %s", (_, input) => {
    expect(cli.run(["pubkey"], {}, input)).toEqual({ status: 0, stdout: `${PUBLIC_KEY}\n`, stderr: "" });
  });

  test.each([
    ["nothing", "", "0 characters instead of 44"],
    ["a short key", "yAnz5TF+", "8 characters instead of 44"],
    ["a key that is not canonical", PRIVATE_KEY.replace("k=", "l="), "not canonical base64"],
    ["white space in front", ` ${PRIVATE_KEY}`, "text after the key"],
    ["a second key", `${PRIVATE_KEY}\n${PRIVATE_KEY}\n`, "text after the key"],
    ["endless text", "x".repeat(1_000_000), "text after the key"],
  ])("refuses %s, without repeating it", (_, input, problem) => {
    const { status, stdout, stderr } = cli.run(["pubkey"], {}, input);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^longhaul: .*\n$/);
    expect(stderr).toContain(problem);
    expect(stderr).not.toContain("yAnz");
  });

  test.each([
    [
      "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
      "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    ],
    [
      "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
      "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
    ],
  ])("agrees with RFC 7748 section 6.1: %s", (privateKey, publicKey) => {
    expect(Buffer.from(derivePublicKey(Buffer.from(privateKey, "hex"))).toString("hex")).toBe(publicKey);
  });

  describe("and wg(8)", requireTools(["wg"]), () => {
    test("agree, on what is refused too", () => {
      const inputs = [
        cli.run(["genkey"]).stdout,
        cli.run(["genpsk"]).stdout,
        execFileSync("wg", ["genkey"], { encoding: "utf8" }),
        `${PRIVATE_KEY}\0\n`,
        `${PRIVATE_KEY} x`,
        PRIVATE_KEY.slice(1),
        PRIVATE_KEY.replace("k=", "m="),
      ];
      for (const input of inputs) {
        const theirs = spawnSync("wg", ["pubkey"], { input, encoding: "utf8" });
        const ours = cli.run(["pubkey"], {}, input);
        expect([ours.status, ours.stdout], JSON.stringify(input)).toEqual([theirs.status, theirs.stdout]);
      }
    });
  });
});

describe("strip and save", () => {
  function file(text: string): string {
    const directory = mkdtempSync(join(tmpdir(), "longhaul-cli-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, "hq.conf");
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  test("strip prints what wg(8) takes, and warnings beside", () => {
    const path = file(`[Interface]\nPrivateKey = ${PRIVATE_KEY}\nAddress = 10.0.0.0/24\n`);
    expect(cli.run(["strip", path])).toEqual({
      status: 0,
      stdout: `[Interface]\nPrivateKey = ${PRIVATE_KEY}\n`,
      stderr: `longhaul: ${path}:3:11: warning: address "10.0.0.0/24" is the network itself, not a host in it; write one of its hosts\n`,
    });
  });

  test("every mistake of a file is a line of its own", () => {
    const path = file(`[Interface]\nPrivateKey = ${PRIVATE_KEY}x\nMTU = big\n`);
    expect(cli.run(["strip", path])).toEqual({
      status: 1,
      stdout: "",
      stderr: [
        `longhaul: ${path}:2:14: private key: 45 characters instead of 44; write 44 characters of base64 ending in "=", as longhaul genkey prints them\n`,
        `longhaul: ${path}:3:7: MTU "big"; write a decimal number from 68 to 65455\n`,
      ].join(""),
    });
  });

  test("save needs a daemon, and leaves the file alone without one", () => {
    const text = `[Interface]\nPrivateKey = ${PRIVATE_KEY}\n`;
    const path = file(text).replace("hq.conf", "lh-none.conf");
    writeFileSync(path, text);
    const { status, stderr } = cli.run(["save", path]);
    expect([status, stderr]).toEqual([4, expect.stringMatching(/^longhaul: lh-none is not running: nothing answers/)]);
    expect(readFileSync(path, "utf8")).toBe(text);
  });
});

describe("talk", () => {
  test("--version names the version first, then what it runs on", () => {
    const { version } = JSON.parse(readFileSync(join(cli.directory, "package.json"), "utf8")) as { version: string };
    const { status, stdout, stderr } = cli.run(["--version"]);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout.split("\n")[0]).toBe(`longhaul ${version}`);
    expect(stdout).toContain(`Node.js ${process.versions.node}, Linux `);
  });

  test.each([["--help"], ["-h"], ["help"], ["help", "up"], ["genkey", "--help"], ["-f", "wg0", "--help"]])(
    "%s … helps on stdout",
    (...args) => {
      const { status, stdout, stderr } = cli.run(args.filter((arg) => arg !== undefined));
      expect([status, stderr]).toEqual([0, ""]);
      for (const word of [
        "IFNAME",
        "genkey",
        "genpsk",
        "pubkey",
        "--foreground",
        "--aead",
        "--log-level",
        "LOG_LEVEL",
        "Examples:",
      ]) {
        expect(stdout).toContain(word);
      }
      expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(120);
    },
  );

  test.each<[args: string[], status: number, stderr: RegExp]>([
    [[], 2, /^longhaul: an interface name or a subcommand is missing; see longhaul --help\n$/],
    [["genky"], 2, /^longhaul: did you mean "genkey"\? To start an interface of that name: longhaul -- genky\n$/],
    [["Pubkey"], 2, /did you mean "pubkey"/],
    [["genps"], 2, /did you mean "genpsk"/],
    [["dwon", "hq"], 2, /did you mean "down"/],
    [["upp", "hq"], 2, /did you mean "up"/],
    [["stop", "hq"], 2, /did you mean "down"/],
    [["down", "hq", "site"], 2, /^longhaul: down wants one name or file, such as hq or \.\/hq\.conf, not 2/],
    [["reload", "no-such-if"], 4, /^longhaul: no-such-if is not running: nothing answers at \/run\/longhaul/],
    [["down", "./no-such-if.conf"], 4, /^longhaul: no-such-if is not running/],
    [["stripp", "hq"], 2, /did you mean "strip"/],
    [
      ["strip"],
      2,
      /^longhaul: strip wants one name or file, such as hq or \.\/hq\.conf, not 0; see longhaul --help\n$/,
    ],
    [["save", "no-such-if"], 1, /^longhaul: there is no \/etc\/longhaul\/no-such-if\.conf and no \/etc\/wireguard/],
    [["--frobnicate", "wg0"], 2, /^longhaul: Unknown option '--frobnicate'; see longhaul --help\n$/],
    [["up", "--dryrun", "hq"], 2, /^longhaul: Unknown option '--dryrun'; did you mean --dry-run\?\n$/],
    [["show", "--josn"], 2, /^longhaul: Unknown option '--josn'; did you mean --json\?\n$/],
    [["--log-level", "debug", "up", "hq"], 2, /not 2; options of a subcommand stand behind it; see longhaul --help\n$/],
    [["wg0", "wg1"], 2, /^longhaul: one interface name, not 2; see longhaul --help\n$/],
    [["-f"], 2, /one interface name, not 0/],
    [["--aead", "rot13", "wg0"], 2, /--aead "rot13"; write one of auto, ipsec-mb, openssl, native/],
    [["--log-level", "loud", "wg0"], 2, /--log-level "loud"; write one of verbose, debug, info, error, silent/],
    [["--log-level"], 2, /--log-level <value>' argument missing/],
    [["this-name-is-far-too-long"], 1, /interface name "this-name-is-far-too-long": 25 characters; write 1 to 15/],
    [["../etc"], 1, /a character that is not allowed/],
  ])("%j ends with %i", (args, status, stderr) => {
    const result = cli.run(args);
    expect([result.status, result.stdout]).toEqual([status, ""]);
    expect(result.stderr).toMatch(stderr);
  });
});

test("a tree that is not built says what to run", () => {
  const tree = mkdtempSync(join(tmpdir(), "longhaul-unbuilt-"));
  onTestFinished(() => rmSync(tree, { recursive: true }));
  mkdirSync(join(tree, "bin"));
  cpSync(cli.program, join(tree, "bin/longhaul"));
  writeFileSync(join(tree, "package.json"), '{"type":"module"}');
  const { status, stdout, stderr } = spawnSync(join(tree, "bin/longhaul"), ["--version"], { encoding: "utf8" });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toBe(`longhaul: not built yet; run "npm ci" in ${tree}/\n`);
});
