// What the command line tells the daemon. It must not know argv, environment names or how a message reaches the terminal.

import type { AeadChoice, LogLevel } from "../config/daemon-choices.js";
import type { MetricsAddress } from "../config/gateway-config.js";

export interface DaemonOptions {
  /** Checked by parseInterfaceName. */
  readonly interfaceName: string;
  /** An open TUN descriptor to use instead of creating the interface. */
  readonly tunFd?: number | undefined;
  /** A listening UNIX socket to use instead of creating the socket file. */
  readonly uapiFd?: number | undefined;
  readonly aead: AeadChoice;
  readonly logLevel: LogLevel;
  /** Where metrics are told; nowhere unless asked: interfaces that wg-quick(8) starts would all want the same port. */
  readonly metrics: readonly MetricsAddress[];
  /** Call once, when the interface and the UAPI socket both exist. */
  readonly onReady: () => void;
}

/**
 * Runs the daemon until it is told to stop, its interface goes or its socket file goes.
 * @returns the exit status. Rejects, with a message for the admin, when it could not start.
 */
export type RunDaemon = (options: DaemonOptions) => Promise<number>;
