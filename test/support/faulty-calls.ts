// System calls of a real daemon that fail by order, each with any errno, and a boot-time clock that jumps: a library that is
// preloaded into it, and the orders in a file of its host. What the kernel can be brought to do by itself needs none of this.
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Host } from "../../src/demo/lab.js";
import type { DaemonProgram } from "./programs.js";

const SOURCE = fileURLToPath(new URL("./faulty-calls.cc", import.meta.url));
const PATH = "/run/faulty-calls";
const ORDERS_BYTES = 72;
const BOOT_AHEAD_AT = 64;

/** Calls that can fail, and where their cells are: errno, calls left to fail, calls that failed. */
const callAt = { udpSend: 0, tunWrite: 16, udpReceive: 32, tunRead: 48 } as const;
export type FaultyCall = keyof typeof callAt;
export type Errno = keyof typeof constants.errno;

/** For ever, as far as a test is concerned. */
const ALWAYS = 2 ** 31 - 1;

/** The library, compiled once a test file. */
export class FaultyLibrary {
  readonly #directory = mkdtempSync(join(tmpdir(), "longhaul-faulty-"));
  readonly #path = join(this.#directory, "faulty-calls.so");

  constructor() {
    const words = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-pthread"];
    execFileSync("g++", [...words, "-o", this.#path, SOURCE, "-ldl"], { stdio: ["ignore", "inherit", "inherit"] });
  }

  /** @returns the program with the library in it. */
  in(program: DaemonProgram): DaemonProgram {
    return { ...program, env: { ...program.env, LD_PRELOAD: this.#path } };
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The orders for the daemons of one host; make it before they start. */
export class FaultyCalls {
  readonly #host: Host;

  private constructor(host: Host) {
    this.#host = host;
  }

  static async prepare(host: Host): Promise<FaultyCalls> {
    await host.writeFile(PATH, new Uint8Array(ORDERS_BYTES));
    return new FaultyCalls(host);
  }

  /** From now on the call fails, `times` times at most. */
  fail(call: FaultyCall, errno: Errno, times = ALWAYS): void {
    this.#write(callAt[call] + 4, int32(times));
    this.#write(callAt[call], int32(constants.errno[errno]));
  }

  /** The call works again. @returns how often it has failed since the host was prepared */
  mend(call: FaultyCall): number {
    this.#write(callAt[call], int32(0));
    return this.#read(callAt[call] + 8).readInt32LE();
  }

  /** The machine was asleep for so long: boot time jumps, and what measures time awake does not. */
  sleep(ms: number): void {
    const bytes = this.#read(BOOT_AHEAD_AT);
    bytes.writeBigInt64LE(bytes.readBigInt64LE() + BigInt(ms));
    this.#write(BOOT_AHEAD_AT, bytes);
  }

  #write(at: number, bytes: Buffer): void {
    this.#open((fd) => writeSync(fd, bytes, 0, bytes.length, at));
  }

  #read(at: number): Buffer {
    const bytes = Buffer.alloc(8);
    this.#open((fd) => readSync(fd, bytes, 0, bytes.length, at));
    return bytes;
  }

  #open(work: (fd: number) => void): void {
    const fd = openSync(this.#host.path(PATH), "r+");
    try {
      work(fd);
    } finally {
      closeSync(fd);
    }
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
