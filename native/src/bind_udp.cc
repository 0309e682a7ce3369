// Unwraps, calls, wraps; the logic is in udp.h. A cold function that fails leaves its call for failedCall().
#include <arpa/inet.h>

#include "addon.h"
#include "handle_table.h"
#include "udp.h"

namespace tuntap {

struct UdpTable : HandleTable<UdpSocket> {};

namespace {

// Places in a row's kept memory.
constexpr size_t kKeepStats = 0;
constexpr size_t kKeepEndpoints = 1;

UdpSocket* ToSocket(napi_env env, napi_value handle) { return GetAddon(env)->sockets->Get(ToInt(env, handle, -1)); }

napi_value ClosedHandle(napi_env env) { return FromOutcome(env, FailedWith(EBADF, "closed UDP socket")); }

// udpOpen(family: 4|6, port, address, mark, receiveBuffer, sendBuffer, offloads, stats, fd, splitSmall): handle or -errno
napi_value UdpOpen(napi_env env, napi_callback_info info) {
  napi_value args[10];
  Arguments(env, info, args);
  double* stats = ToDoubles(env, args[7], kUdpStatCount);
  if (stats == nullptr) return FromOutcome(env, FailedWith(EINVAL, "openUdp"));
  UdpOptions options = {};
  options.family = ToInt(env, args[0]) == 6 ? AF_INET6 : AF_INET;
  char address[INET6_ADDRSTRLEN] = {};
  size_t length = 0;
  napi_get_value_string_utf8(env, args[2], address, sizeof address, &length);
  if (inet_pton(options.family, address, options.address) != 1) return FromOutcome(env, FailedWith(EINVAL, "inet_pton"));
  options.port = ToInt(env, args[1]);
  options.mark = ToUint(env, args[3]);
  options.receiveBufferBytes = ToInt(env, args[4]);
  options.sendBufferBytes = ToInt(env, args[5]);
  options.offloads = ToInt(env, args[6]) != 0;
  options.fd = ToInt(env, args[8], -1);
  options.splitSmall = ToInt(env, args[9]) != 0;
  std::unique_ptr<UdpSocket> socket;
  const Outcome outcome = UdpSocket::Open(options, stats, socket);
  if (outcome.failed()) return FromOutcome(env, outcome);
  return FromInt(env, GetAddon(env)->sockets->Add(env, std::move(socket), kKeepStats, args[7]));
}

napi_value UdpClose(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  GetAddon(env)->sockets->Close(env, ToInt(env, args[0], -1));
  return nullptr;
}

// udpInfo(handle, into: Int32Array(7)): 0 or -errno; fd, port, segment, gro, receive buffer, send buffer, descriptor for small ones
napi_value UdpInfo(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  const UdpSocket* socket = ToSocket(env, args[0]);
  int32_t* cells = ToInts(env, args[1], 7);
  if (socket == nullptr || cells == nullptr) return ClosedHandle(env);
  cells[0] = socket->fd();
  cells[1] = socket->port();
  cells[2] = socket->segment() ? 1 : 0;
  cells[3] = socket->gro() ? 1 : 0;
  cells[4] = socket->receiveBufferBytes();
  cells[5] = socket->sendBufferBytes();
  cells[6] = socket->smallFd();
  return FromInt(env, 0);
}

napi_value UdpSetMark(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  UdpSocket* socket = ToSocket(env, args[0]);
  return socket == nullptr ? ClosedHandle(env) : FromOutcome(env, socket->SetMark(ToUint(env, args[1])));
}

// udpAttachEndpoints(handle, table: Uint8Array): rows, or -errno
napi_value UdpAttachEndpoints(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  UdpSocket* socket = ToSocket(env, args[0]);
  const Bytes table = ToBytes(env, args[1]);
  if (socket == nullptr) return ClosedHandle(env);
  if (reinterpret_cast<uintptr_t>(table.data) % alignof(EndpointRecord) != 0) {
    return FromOutcome(env, FailedWith(EINVAL, "attachEndpoints"));
  }
  const int rows = int(table.size / sizeof(EndpointRecord));
  socket->SetEndpoints(reinterpret_cast<EndpointRecord*>(table.data), rows);
  GetAddon(env)->sockets->Keep(env, ToInt(env, args[0]), kKeepEndpoints, args[1]);
  return FromInt(env, rows);
}

napi_value UdpRefreshOverflow(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  UdpSocket* socket = ToSocket(env, args[0]);
  return FromInt(env, socket == nullptr ? -EBADF : socket->RefreshOverflow());
}

// The hot three: (handle, batch): count or -errno
napi_value UdpReceiveBatch(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  UdpSocket* socket = ToSocket(env, args[0]);
  Batch* batch = ToBatch(env, args[1]);
  return FromInt(env, socket == nullptr || batch == nullptr ? -EBADF : socket->ReceiveBatch(*batch));
}

napi_value UdpReceiveSmallBatch(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  UdpSocket* socket = ToSocket(env, args[0]);
  Batch* batch = ToBatch(env, args[1]);
  return FromInt(env, socket == nullptr || batch == nullptr ? -EBADF : socket->ReceiveSmallBatch(*batch));
}

napi_value UdpSendBatch(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  UdpSocket* socket = ToSocket(env, args[0]);
  Batch* batch = ToBatch(env, args[1]);
  return FromInt(env, socket == nullptr || batch == nullptr ? -EBADF : socket->SendBatch(*batch));
}

}  // namespace

void RegisterUdp(napi_env env, napi_value exports) {
  GetAddon(env)->sockets = std::make_shared<UdpTable>();
  SetFunction(env, exports, "udpOpen", UdpOpen);
  SetFunction(env, exports, "udpClose", UdpClose);
  SetFunction(env, exports, "udpInfo", UdpInfo);
  SetFunction(env, exports, "udpSetMark", UdpSetMark);
  SetFunction(env, exports, "udpAttachEndpoints", UdpAttachEndpoints);
  SetFunction(env, exports, "udpRefreshOverflow", UdpRefreshOverflow);
  SetFunction(env, exports, "udpReceiveBatch", UdpReceiveBatch);
  SetFunction(env, exports, "udpReceiveSmallBatch", UdpReceiveSmallBatch);
  SetFunction(env, exports, "udpSendBatch", UdpSendBatch);
}

}  // namespace tuntap
