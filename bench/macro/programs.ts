// What every measurement between namespaces needs of the machine.
import { hasProgram, tryCommand } from "../../src/demo/command.js";
import { GET_PEERS } from "./link.js";

/** Errors: throws, naming what this machine lacks. */
export async function requirePrograms(...more: string[]): Promise<void> {
  for (const program of ["ip", "nsenter", "iperf3", "ping", ...more]) {
    if (!(await hasProgram(program))) throw new Error(`${program} is not there: ${GET_PEERS}`);
  }
  if ((await tryCommand(["unshare", "--mount", "--net", "true"])).status !== 0) {
    throw new Error("needs root, to make network namespaces");
  }
}
