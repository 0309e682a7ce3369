// What a service is started with. It must not know argv, or how a file is read and written.

import type { AeadChoice, LogLevel } from "../config/daemon-choices.js";
import type { GatewayConfig, MetricsAddress } from "../config/gateway-config.js";
import type { Gateway } from "./gateway.js";
import type { ServiceManager } from "./service-manager.js";

/** A file that was read and has no error. */
export interface LoadedConfig {
  readonly config: GatewayConfig;
  /** What the admin should look at, but need not mend. */
  readonly warnings: readonly string[];
}

export interface ServiceOptions {
  /** Checked; the base name of the file. */
  readonly interfaceName: string;
  /** Absolute. */
  readonly configPath: string;
  /** Reads the file anew. Rejects with all that is wrong in it. */
  readonly load: () => Promise<LoadedConfig>;
  /** Writes what runs into the file: `SaveConfig = true`. */
  readonly save: (gateway: Gateway, config: GatewayConfig) => Promise<void>;
  /** Undefined: as the file says, else the fastest. */
  readonly aead: AeadChoice | undefined;
  /** Undefined: as the file says, else info. */
  readonly logLevel: LogLevel | undefined;
  /** Where metrics are told; undefined: as the file says, else to this host alone. */
  readonly metrics: readonly MetricsAddress[] | undefined;
  readonly manager: ServiceManager;
  /** Where the socket for wg(8) goes; undefined: where wg looks. */
  readonly uapiDirectory?: string | undefined;
  /** Tells the person who waits for the interface to come up. */
  readonly say: (line: string) => void;
  /** Call once, when the interface is up. */
  readonly onReady: () => void;
}
