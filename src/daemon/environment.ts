// The environment variables that wireguard-go has and longhaul keeps.

import { fstatSync } from "node:fs";
import type { LogLevel } from "../config/daemon-choices.js";
import { ConfigError, ConfigErrorCode, quote } from "../config/errors.js";

export interface DaemonEnvironment {
  /** `WG_PROCESS_FOREGROUND=1`. */
  readonly foreground: boolean;
  /** `WG_TUN_FD`. */
  readonly tunFd: number | undefined;
  /** `WG_UAPI_FD`. */
  readonly uapiFd: number | undefined;
  /** `LOG_LEVEL`; undefined when it is not set, which is "error". */
  readonly logLevel: LogLevel | undefined;
}

const FD_MAX = 0x7fff_ffff;

/** Errors: ConfigError for a descriptor that is no number or not open. An unknown LOG_LEVEL is "error", as in wireguard-go. */
export function readEnvironment(env: NodeJS.ProcessEnv): DaemonEnvironment {
  return {
    foreground: env["WG_PROCESS_FOREGROUND"] === "1",
    tunFd: readDescriptor(env, "WG_TUN_FD"),
    uapiFd: readDescriptor(env, "WG_UAPI_FD"),
    logLevel: env["LOG_LEVEL"] ? (parseLogLevel(env["LOG_LEVEL"]) ?? "error") : undefined,
  };
}

/** @returns undefined for an unknown name. `verbose` is wireguard-go's name for debug. Throws nothing. */
export function parseLogLevel(text: string): LogLevel | undefined {
  switch (text) {
    case "verbose":
    case "debug":
      return "debug";
    case "info":
    case "error":
    case "silent":
      return text;
    default:
      return undefined;
  }
}

function readDescriptor(env: NodeJS.ProcessEnv, name: string): number | undefined {
  const text = env[name];
  if (text === undefined || text === "") {
    return undefined;
  }
  if (!/^[0-9]+$/.test(text) || Number(text) > FD_MAX) {
    throw new ConfigError(ConfigErrorCode.Number, `${name} ${quote(text)}`, "the number of an open file descriptor");
  }
  if (!isOpen(Number(text))) {
    throw new ConfigError(
      ConfigErrorCode.Number,
      `${name} ${text}: no such descriptor here`,
      "the number of a descriptor that was passed on open",
    );
  }
  return Number(text);
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}
