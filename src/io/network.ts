// HOT PATH: the device's two UDP sockets, one a family, on one port. Opened when the interface comes up, closed when it goes
// down; send and receive are batches. Knows nothing of peers.

import { HeaderCell, openUdp, type PacketBatch, SystemCallError, type UdpSocket } from "tun-tap-ts";
import type { Transmitter } from "../core/transport/data-path.js";
import { ENDPOINT_BYTES, FAMILY_IPV4, FAMILY_IPV6, familyOf } from "../core/transport/endpoint-record.js";

/**
 * Asked of the kernel; forced past net.core limits where the process may. Eight TCP streams of a local sender have 32 MB under way at
 * most, and the kernel counts more than the bytes: half as much overflows now and then.
 */
const RECEIVE_BUFFER_BYTES = 64 * 1024 * 1024;
const SEND_BUFFER_BYTES = 16 * 1024 * 1024;
const EAFNOSUPPORT = 97;
const EADDRINUSE = 98;
const RANDOM_PORT_TRIES = 32;

export interface NetworkOptions {
  /** Use UDP_SEGMENT and UDP_GRO where the kernel has them. */
  readonly offloads: boolean;
  /** Bound sockets, at most one a family, to begin with if their port is the one wanted. */
  readonly inherited?: readonly number[] | undefined;
  /** Called with each socket while it can still be read from. */
  readonly closing?: ((socket: UdpSocket) => void) | undefined;
}

export class Network implements Transmitter {
  readonly #endpoints: Uint8Array;
  readonly #offloads: boolean;
  readonly #closing: (socket: UdpSocket) => void;
  #socket4: UdpSocket | undefined;
  #socket6: UdpSocket | undefined;
  #mark = 0;
  /** Bound sockets of the last run, until the first open. */
  #inherited: readonly number[];

  /** @param endpoints  endpoint table that runEndpoint indexes */
  constructor(endpoints: Uint8Array, options: NetworkOptions) {
    this.#endpoints = endpoints;
    this.#offloads = options.offloads;
    this.#inherited = options.inherited ?? [];
    this.#closing = options.closing ?? (() => {});
  }

  /** Descriptors of the open sockets, by which another process may take them over: not those for small datagrams. */
  // cold: once a process
  get fds(): number[] {
    return [this.#socket4, this.#socket6].flatMap((socket) => (socket === undefined ? [] : [socket.fd]));
  }

  get socket4(): UdpSocket | undefined {
    return this.#socket4;
  }

  get socket6(): UdpSocket | undefined {
    return this.#socket6;
  }

  get isOpen(): boolean {
    return this.#socket4 !== undefined || this.#socket6 !== undefined;
  }

  /** Port in use; 0: closed. */
  get port(): number {
    return this.#socket4?.port ?? this.#socket6?.port ?? 0;
  }

  /**
   * Opens both sockets on one port. A family that the host lacks is left out.
   * @param port  0: one that is free in both families
   * Errors: SystemCallError (bind: EADDRINUSE and others); nothing stays open then.
   */
  // cold: once an interface comes up
  open(port: number, mark: number): void {
    this.#mark = mark;
    if (this.#takeInherited(port)) return;
    for (let attempt = 1; ; attempt++) {
      try {
        this.#socket4 = this.#openFamily(4, port);
        this.#socket6 = this.#openFamily(6, this.#socket4?.port ?? port);
        break;
      } catch (error) {
        this.close();
        const isTaken = error instanceof SystemCallError && error.errno === EADDRINUSE;
        if (port !== 0 || !isTaken || attempt === RANDOM_PORT_TRIES) throw error;
      }
    }
    if (!this.isOpen) throw new Error("this host has neither IPv4 nor IPv6: no UDP socket can be opened");
  }

  /** Sets SO_MARK on what is open and what will be. Errors: SystemCallError. */
  setMark(mark: number): void {
    this.#socket4?.setMark(mark);
    this.#socket6?.setMark(mark);
    this.#mark = mark;
  }

  /** Closes both sockets. */
  // cold: once an interface goes down
  close(): void {
    for (const socket of [this.#socket4, this.#socket6]) {
      if (socket === undefined) continue;
      this.#closing(socket);
      socket.close();
    }
    this.#socket4 = undefined;
    this.#socket6 = undefined;
  }

  /** Sends every run whose endpoint is set, each by its family's socket. */
  transmit(batch: PacketBatch): number {
    batch.header[HeaderCell.OtherFamily] = 1; // unless a socket has looked, and found none
    const sent = this.#send(this.#socket4, FAMILY_IPV4, batch);
    if (batch.header[HeaderCell.OtherFamily] === 0) return sent;
    return sent + this.#send(this.#socket6, FAMILY_IPV6, batch);
  }

  /** A datagram that no socket looked at must not pass for sent. */
  #send(socket: UdpSocket | undefined, family: number, batch: PacketBatch): number {
    const sent = socket === undefined ? -EAFNOSUPPORT : socket.sendBatch(batch);
    if (sent >= 0) return sent;
    for (let run = 0; run < batch.header[HeaderCell.RunCount]!; run++) {
      const row = batch.runEndpoint[run]!;
      if (row < 0 || familyOf(this.#endpoints, row * ENDPOINT_BYTES) !== family) continue;
      const first = batch.runFirst[run]!;
      for (let slot = first; slot < first + batch.runCount[run]!; slot++) {
        if (batch.packetStatus[slot] === 0) batch.packetStatus[slot] = sent;
      }
    }
    return 0;
  }

  // cold: once a process
  #takeInherited(port: number): boolean {
    const fds = this.#inherited;
    this.#inherited = [];
    for (const fd of fds) {
      const socket = this.#adopt(fd);
      if (socket?.family === 4) this.#socket4 = socket;
      if (socket?.family === 6) this.#socket6 = socket;
    }
    const ports = [this.#socket4, this.#socket6].flatMap((socket) => (socket === undefined ? [] : [socket.port]));
    const fits = ports.length > 0 && ports.every((one) => one === ports[0] && (port === 0 || one === port));
    if (!fits) this.close();
    return fits;
  }

  /** @returns undefined: it is no UDP socket, and stays open. */
  // cold: once a process
  #adopt(fd: number): UdpSocket | undefined {
    for (const family of [4, 6] as const) {
      try {
        return this.#openFamily(family, 0, fd);
      } catch {
        // of the other family, or none
      }
    }
    return undefined;
  }

  // cold: once an interface comes up
  #openFamily(family: 4 | 6, port: number, fd?: number): UdpSocket | undefined {
    try {
      const socket = openUdp({
        family,
        port,
        ...(fd === undefined ? {} : { fd }),
        mark: this.#mark,
        receiveBufferBytes: RECEIVE_BUFFER_BYTES,
        sendBufferBytes: SEND_BUFFER_BYTES,
        offloads: this.#offloads,
        splitSmall: true,
      });
      socket.attachEndpoints(this.#endpoints);
      return socket;
    } catch (error) {
      if (error instanceof SystemCallError && error.errno === EAFNOSUPPORT) return undefined;
      throw error;
    }
  }
}
