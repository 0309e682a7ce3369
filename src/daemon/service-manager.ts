// What a daemon that runs as a service tells whoever watches over it, and what it is given by them: the seam for systemd. Without
// one, nothing is said and nothing is inherited. It must not know how a message reaches its watcher.

import type { Gateway } from "./gateway.js";

/** Open descriptors that survived the last run of this service. Who passes them on checks that they are what they say. */
export interface InheritedDescriptors {
  /** The interface's queues; empty: there is no interface yet. */
  readonly tunFds: readonly number[];
  /** Bound UDP sockets, one a family. */
  readonly udpFds: readonly number[];
}

/** Called at the turning points of a service; none may throw. */
export interface ServiceManager {
  /** Asked once, before the interface is made. */
  inherited(): InheritedDescriptors;
  /** The interface exists, with keys and peers. */
  started(gateway: Gateway): Promise<void>;
  /** Addresses, routes and hooks are done. */
  ready(): void;
  /** A reload begins… */
  reloading(): void;
  /** …and is over. @param problem  undefined: the new file is in force; else why the old one still is */
  reloaded(problem: string | undefined): void;
  /** The end begins. */
  stopping(): void;
  /** Asked when the end begins: true leaves addresses, routes and rules for the next run, which inherits the interface. */
  keepsInterface(): Promise<boolean>;
  /** The interface was given up: what would keep it alive has to be let go of. */
  released(): void;
}

export const noServiceManager: ServiceManager = {
  inherited: () => ({ tunFds: [], udpFds: [] }),
  started: () => Promise.resolve(),
  ready: () => {},
  reloading: () => {},
  reloaded: () => {},
  stopping: () => {},
  keepsInterface: () => Promise.resolve(false),
  released: () => {},
};
