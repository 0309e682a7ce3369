// `npm run demo`: three offices joined by longhaul, in namespaces of this machine. Root, or a user namespace in which
// we are root. Whatever ends it, nothing stays behind unless --keep was said.
import { accessSync, constants } from "node:fs";
import { fileURLToPath } from "node:url";
import { CommandError, hasProgram, tryCommand } from "./command.js";
import { Lab } from "./lab.js";
import { Steps } from "./steps.js";
import { takeDown, tell, tour } from "./story.js";
import { inUserNamespace, reexecInUserNamespace } from "./user-namespace.js";

const USAGE = `usage: npm run demo [-- --keep]
  --keep  leave the three offices running and say how to look around
Needs root, or a system that lets you make user namespaces.
`;

const ENDING_SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

async function main(words: readonly string[]): Promise<number> {
  if (words.includes("--help") || words.includes("-h")) {
    process.stdout.write(USAGE);
    return 0;
  }
  const unknown = words.find((word) => word !== "--keep");
  if (unknown !== undefined) {
    process.stderr.write(`demo: unknown option ${JSON.stringify(unknown)}\n${USAGE}`);
    return 2;
  }
  if (!(await canMakeNamespaces())) return reexecInUserNamespace(fileURLToPath(import.meta.url), words);
  await checkMachine();
  return run(words.includes("--keep"));
}

async function run(keep: boolean): Promise<number> {
  const steps = new Steps();
  const lab = new Lab();
  const ending = endOnSignal(steps, lab);
  try {
    const scene = await tell(steps, lab);
    if (keep) {
      tour(steps, lab, scene, inUserNamespace());
      await lab.keep();
    } else {
      await takeDown(steps, lab, scene);
    }
    return 0;
  } catch (error) {
    if (ending.began) return new Promise(() => {}); // the signal's handler ends the process
    await lab.close();
    throw error;
  }
}

/** A signal, or a reader of our output that has gone, takes the lab down and ends the process. */
function endOnSignal(steps: Steps, lab: Lab): { began: boolean } {
  const ending = { began: false };
  const end = (why: string, status: number): void => {
    if (ending.began) return;
    ending.began = true;
    steps.silence();
    process.stderr.write(`demo: ${why}; taking everything down\n`);
    lab.close().finally(() => process.exit(status));
  };
  for (const [signal, status] of Object.entries(ENDING_SIGNALS)) process.on(signal, () => end(signal, status));
  process.stdout.on("error", () => end("nobody reads on", 1));
  process.stderr.on("error", () => {});
  return ending;
}

async function canMakeNamespaces(): Promise<boolean> {
  return (await tryCommand(["unshare", "--mount", "--net", "true"])).status === 0;
}

/** Errors: throws, naming what to install or load. */
async function checkMachine(): Promise<void> {
  const packages = { ip: "iproute2", nsenter: "util-linux", mount: "mount" } as const;
  for (const [program, name] of Object.entries(packages)) {
    if (!(await hasProgram(program))) throw new Error(`${program} is missing: apt install ${name}`);
  }
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const cure = code === "ENOENT" ? "load it as root: modprobe tun" : "you may not open it: run the demo as root";
    throw new Error(`/dev/net/tun: ${code}: ${cure}`);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const text = error instanceof CommandError || error instanceof Error ? error.message : String(error);
  process.stderr.write(`demo: ${text}\n`);
  process.exitCode = 1;
}
