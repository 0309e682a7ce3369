// A lab whose cables are emulated links: a drop-in for the bench's tunnels, which only ask for a cable.
import { join } from "node:path";
import { Program, tryCommand } from "../../src/demo/command.js";
import { type Host, Lab, type LinkEnd } from "../../src/demo/lab.js";
import { root } from "../support/root.js";
import type { EmulatorOptions, EmulatorReport } from "./emulator.js";
import { type LinkSetting, settingToJson } from "./setting.js";

/** The compiled program: `npm run bench:longhaul` builds it. */
const EMULATOR = join(root, "dist-bench/bench/longhaul/emulator-main.js");
const START_MS = 20_000;
/**
 * V8's main thread asks again and again whether its helpers are done with a collection. In real time it keeps the processor
 * from them meanwhile, and from everybody else, for ever: there may be no helpers.
 */
const NO_HELPERS = ["--single-threaded-gc", "--no-memory-reducer"];

/** A running emulator. */
export class EmulatedCable {
  readonly #program: Program;
  #asked = 0;

  constructor(program: Program) {
    this.#program = program;
  }

  get pid(): number {
    return this.#program.child.pid!;
  }

  /** Errors: CommandError when the emulator has ended. */
  async report(): Promise<EmulatorReport> {
    this.#asked += 1;
    this.#program.child.stdin!.write(`${this.#asked}\n`);
    const [, json] = await this.#program.waitForOutput(new RegExp(`^report ${this.#asked} (.*)\\n`, "m"));
    this.#program.stdout = "";
    return JSON.parse(json!) as EmulatorReport;
  }
}

export class EmulatedLab extends Lab {
  readonly cables: EmulatedCable[] = [];
  readonly #setting: LinkSetting;
  readonly #seed: number;
  readonly #sysctls: Readonly<Record<string, string>>;

  /**
   * @param setting  of every cable; forward is from its left end to its right one
   * @param sysctls  below net/, set on the hosts at both ends of a cable
   */
  constructor(setting: LinkSetting, seed: number, sysctls: Readonly<Record<string, string>> = {}) {
    super();
    this.#setting = setting;
    this.#seed = seed;
    this.#sysctls = sysctls;
  }

  override async connect(left: LinkEnd, right: LinkEnd, mtu = 1_500): Promise<void> {
    const home = await this.addHost(`link ${this.cables.length + 1}`);
    const options: Omit<EmulatorOptions, "setting"> & { setting: string } = {
      left: { namespace: namespaceOf(left.host), interfaceName: left.name },
      right: { namespace: namespaceOf(right.host), interfaceName: right.name },
      home: namespaceOf(home),
      setting: settingToJson(this.#setting),
      seed: this.#seed,
      mtu,
    };
    const program = new Program([...(await realTimeNode()), EMULATOR, JSON.stringify(options)]);
    await program.waitForOutput(/^ready$/m, START_MS);
    this.cables.push(new EmulatedCable(program));
    for (const { host } of [left, right]) {
      for (const [knob, value] of Object.entries(this.#sysctls)) await host.sysctl(knob, value);
    }
    for (const { host, name, addresses } of [left, right]) {
      await host.ip(
        ...addresses.map((address) => `address add ${address} dev ${name} ${address.includes(":") ? "nodad" : ""}`),
      );
    }
  }
}

/** Node, and in front of it what lets it run before others where that may be: a link does not wait for what it joins. */
export async function realTimeNode(): Promise<readonly string[]> {
  const words = ["chrt", "--rr", "1"]; // not --fifo: threads of one process may wait for each other
  const mayHave = await tryCommand([...words, "true"]).then(
    ({ status }) => status === 0,
    () => false,
  );
  return [...(mayHave ? words : []), process.execPath, ...NO_HELPERS];
}

function namespaceOf(host: Host): string {
  return `/proc/${host.pid}/ns/net`;
}
