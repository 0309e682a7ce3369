// The public face of tun-tap-ts.

export { attachBatch } from "./addon.js";
export {
  Aead,
  type AeadBackendName,
  AeadUnavailableError,
  aeadBackends,
  createAead,
  X25519_PAIRS_MAX,
  x25519,
  x25519Base,
  x25519Pairs,
} from "./aead.js";
export { Errno, errnoCode, SystemCallError } from "./errors.js";
export * from "./packet-batch.js";
export { ABSENCE_CELLS, AbsenceCell, Poller, setPollLinger, TIMER_BIT, watchAbsences } from "./poller.js";
export { RouteReports, routeInterface } from "./routes.js";
export { CLOCK_CELLS, ClockCell, disableDumps, endProcess, enterNetworkNamespace, readClock } from "./system.js";
export {
  FRAME_BYTES_MAX,
  LINK_CELLS,
  LinkCell,
  openTun,
  TUN_STAT_COUNT,
  Tun,
  type TunOptions,
  TunStat,
} from "./tun.js";
export {
  DATAGRAMS_PER_MESSAGE,
  openUdp,
  RECEIVE_STRETCH_BYTES,
  SMALL_DATAGRAM_BYTES,
  UDP_STAT_COUNT,
  type UdpOptions,
  UdpSocket,
  UdpStat,
} from "./udp.js";
export { closeOnExec, sendUnixDatagram } from "./unix-datagram.js";
