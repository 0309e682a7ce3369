// The emulator as a process of its own, so that its processor time is its own. The argument is its options as JSON; it
// says "ready", answers each line of input with a report, and ends with its input.
import { createInterface } from "node:readline";
import { Emulator, type EmulatorOptions } from "./emulator.js";
import { settingFromJson } from "./setting.js";

const words = JSON.parse(process.argv[2] ?? "{}") as Omit<EmulatorOptions, "setting"> & { readonly setting: string };
const emulator = new Emulator({ ...words, setting: settingFromJson(words.setting) });
process.stdout.write("ready\n");

const input = createInterface({ input: process.stdin });
input.on("line", (line) => process.stdout.write(`report ${line} ${JSON.stringify(emulator.report())}\n`));
input.on("close", () => {
  emulator.close();
  process.exit(0);
});
