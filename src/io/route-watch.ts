// Keeps sticky sources in step with the routes of this host: a datagram that was asked at one address is answered from it only while
// the way back leads over the interface that it came in by. Otherwise the kernel chooses, as for a peer that was never heard of:
// a gateway whose uplink changes must not go on sending with the old one's address.

import { Poller, RouteReports, routeInterface } from "tun-tap-ts";
import type { DeviceState } from "../core/device/device-state.js";
import { recheckSources } from "../core/device/sticky-source.js";
import { sourceInterface } from "../core/transport/endpoint-record.js";

/** Peers that are looked at before others get their turn: some hundred microseconds. */
const SLICE_PEERS = 32;
/** Between two looks at all peers; longer where one takes long, so that a router that learns a table of routes costs a tenth at most. */
const REST_MS = 200;
const REST_TIMES = 9;

export class RouteWatch {
  readonly #state: DeviceState;
  readonly #mark: () => number;
  #reports: RouteReports | undefined;
  #poller: Poller | undefined;
  #rest: NodeJS.Timeout | undefined;
  #isClosed = false;

  /**
   * @param mark  of the sockets, now; 0: none
   * @param log   is told when changes cannot be heard of: then sources are looked at when peers speak
   */
  constructor(
    state: DeviceState,
    mark: () => number,
    log: { error(fields: { readonly err: unknown }, message: string): void },
  ) {
    this.#state = state;
    this.#mark = mark;
    try {
      const reports = new RouteReports();
      this.#reports = reports;
      this.#poller = new Poller(() => this.#changed(reports));
      this.#poller.add(reports.fd, 1);
    } catch (error) {
      log.error({ err: error }, "changes of routes are not heard of");
    }
  }

  /** Whether the way to a record's remote address leads over the interface that its source was seen at; true if nobody knows. */
  agrees(record: number): boolean {
    const { endpoints } = this.#state.deps;
    const way = routeInterface(endpoints, record, this.#mark());
    return way < 0 || way === sourceInterface(endpoints, record);
  }

  /** No more looks. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#rest);
    this.#poller?.close();
    this.#reports?.close();
  }

  /** Looks at all peers, and listens again after a rest. What is reported meanwhile waits, or is lost as news of something. */
  #changed(reports: RouteReports): void {
    this.#poller?.remove(reports.fd);
    reports.take();
    const beganMs = performance.now();
    this.#look(recheckSources(this.#state), () => {
      const restMs = Math.max(REST_MS, REST_TIMES * (performance.now() - beganMs));
      this.#rest = setTimeout(() => this.#poller?.add(reports.fd, 1), restMs);
    });
  }

  #look(work: Generator<void, void, void>, done: () => void): void {
    for (let i = 0; i < SLICE_PEERS; i++) {
      if (work.next().done !== true) continue;
      done();
      return;
    }
    setImmediate(() => {
      if (!this.#isClosed) this.#look(work, done);
    });
  }
}
