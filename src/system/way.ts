// The way that the kernel would send to an address, by `ip route get`: nothing is sent, nothing changes.

import { ProgramMissingError, runProgram } from "./program.js";

export interface Way {
  readonly address: string;
  /** Undefined: there is no way. */
  readonly device: string | undefined;
  readonly isLocal: boolean;
  /** Of the path as far as the kernel knows it, else of the device; undefined: not known. */
  readonly mtu: number | undefined;
}

interface IpWay {
  readonly dev?: string;
  readonly type?: string;
  readonly metrics?: readonly { readonly mtu?: number }[];
}

const PATIENCE_MS = 2_000;

export interface WayQuestion {
  /** Firewall mark of what is sent; 0: none. */
  readonly mark?: number;
  readonly withMtu?: boolean;
}

/**
 * @param address  numeric, without a zone
 * @returns undefined when it cannot be found out. Errors: none.
 */
export async function wayTo(address: string, question: WayQuestion = {}): Promise<Way | undefined> {
  const { mark = 0, withMtu = false } = question;
  try {
    const found = await ip<IpWay>(["route", "get", address, ...(mark === 0 ? [] : ["mark", String(mark)])]);
    if (found === undefined) return { address, device: undefined, isLocal: false, mtu: undefined };
    const isLocal = found.type === "local";
    return { address, device: found.dev, isLocal, mtu: withMtu ? await mtuOf(found) : undefined };
  } catch (error) {
    if (error instanceof ProgramMissingError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function mtuOf({ dev, metrics }: IpWay): Promise<number | undefined> {
  const stated = metrics?.find(({ mtu }) => mtu !== undefined)?.mtu;
  if (stated !== undefined || dev === undefined) return stated;
  return (await ip<{ mtu?: number }>(["link", "show", "dev", dev]))?.mtu;
}

async function ip<T>(args: readonly string[]): Promise<T | undefined> {
  const { status, stdout } = await runProgram(["ip", "-json", ...args], { timeoutMs: PATIENCE_MS });
  if (status !== 0 || stdout.trim() === "") return undefined;
  return (JSON.parse(stdout) as T[])[0];
}
