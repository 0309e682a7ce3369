// Unwraps, calls, wraps; the logic is in tun.h. A cold function that fails leaves its call for failedCall().
#include <cstring>

#include "addon.h"
#include "handle_table.h"
#include "tun.h"

namespace tuntap {

struct TunTable : HandleTable<Tun> {};

namespace {

Tun* ToTun(napi_env env, napi_value handle) { return GetAddon(env)->tuns->Get(ToInt(env, handle, -1)); }

napi_value ClosedHandle(napi_env env) { return FromOutcome(env, FailedWith(EBADF, "closed TUN")); }

// tunOpen(name, mode, vnetHeader, persist, queues, fds: Int32Array, fd count, stats: Float64Array): handle or -errno
napi_value TunOpen(napi_env env, napi_callback_info info) {
  napi_value args[8];
  Arguments(env, info, args);
  TunOptions options = {};
  size_t length = 0;
  napi_get_value_string_utf8(env, args[0], options.name, IFNAMSIZ, &length);
  options.mode = ToInt(env, args[1]) == 1 ? TunMode::kTap : TunMode::kTun;
  options.vnetHeader = ToInt(env, args[2]) != 0;
  options.persist = ToInt(env, args[3]) != 0;
  options.queues = ToInt(env, args[4], 1);
  const int fdCount = ToInt(env, args[6]);
  const int32_t* fds = fdCount < 0 ? nullptr : ToInts(env, args[5], size_t(fdCount));
  options.fd = fdCount > 0 && fds != nullptr ? fds[0] : -1;
  options.moreFds = fdCount > 1 ? fds + 1 : nullptr;
  options.moreFdCount = fdCount > 1 ? fdCount - 1 : 0;
  double* stats = ToDoubles(env, args[7], kTunStatCount);
  if (stats == nullptr || (fds == nullptr && fdCount != 0)) return FromOutcome(env, FailedWith(EINVAL, "openTun"));
  std::unique_ptr<Tun> tun;
  const Outcome outcome = Tun::Open(options, stats, tun);
  if (outcome.failed()) return FromOutcome(env, outcome);
  return FromInt(env, GetAddon(env)->tuns->Add(env, std::move(tun), 0, args[7]));
}

napi_value TunClose(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  GetAddon(env)->tuns->Close(env, ToInt(env, args[0], -1));
  return nullptr;
}

// tunInfo(handle, into: Int32Array(5 + 8)): 0 or -errno; queues, mode, vnetHeader, tso, uso, and the queues' descriptors
napi_value TunInfo(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  const Tun* tun = ToTun(env, args[0]);
  int32_t* cells = ToInts(env, args[1], 5 + kMaxTunQueues);
  if (tun == nullptr || cells == nullptr) return ClosedHandle(env);
  cells[0] = tun->queues().count();
  cells[1] = int32_t(tun->mode());
  cells[2] = tun->vnetHeader() ? 1 : 0;
  cells[3] = tun->tso() ? 1 : 0;
  cells[4] = tun->uso() ? 1 : 0;
  for (int queue = 0; queue < cells[0]; ++queue) cells[5 + queue] = tun->queues().fd(queue);
  return FromInt(env, 0);
}

// tunOpenedName(handle), tunCurrentName(handle): string, or -errno
napi_value TunOpenedName(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  const Tun* tun = ToTun(env, args[0]);
  if (tun == nullptr) return ClosedHandle(env);
  napi_value out = nullptr;
  napi_create_string_utf8(env, tun->openedName(), NAPI_AUTO_LENGTH, &out);
  return out;
}

napi_value TunCurrentName(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  const Tun* tun = ToTun(env, args[0]);
  if (tun == nullptr) return ClosedHandle(env);
  char name[IFNAMSIZ];
  const Outcome outcome = tun->CurrentName(name);
  if (outcome.failed()) return FromOutcome(env, outcome);
  napi_value out = nullptr;
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &out);
  return out;
}

// tunLinkState(handle, into: Int32Array(3)): 0 or -errno
napi_value TunLinkState(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  int32_t* cells = ToInts(env, args[1], kLinkCells);
  if (tun == nullptr || cells == nullptr) return ClosedHandle(env);
  return FromOutcome(env, tun->ReadLink(cells));
}

// tunRefreshLosses(handle): 0 or -errno
napi_value TunRefreshLosses(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  return FromInt(env, tun == nullptr ? -EBADF : tun->RefreshLosses());
}

napi_value TunSetOffloads(napi_env env, napi_callback_info info) {
  napi_value args[3];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  if (tun == nullptr) return ClosedHandle(env);
  return FromOutcome(env, tun->SetOffloads(ToInt(env, args[1]) != 0, ToInt(env, args[2]) != 0));
}

// tunSetFrameOffloads(handle, tso, uso): 1 if TSO is on + 2 if USO is, or -errno
napi_value TunSetFrameOffloads(napi_env env, napi_callback_info info) {
  napi_value args[3];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  if (tun == nullptr) return ClosedHandle(env);
  return FromOutcome(env, tun->SetFrameOffloads(ToInt(env, args[1]) != 0, ToInt(env, args[2]) != 0));
}

// The one-integer setters.
napi_value TunSetPersist(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  return tun == nullptr ? ClosedHandle(env) : FromOutcome(env, tun->SetPersist(ToInt(env, args[1]) != 0));
}

napi_value TunSetMtu(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  return tun == nullptr ? ClosedHandle(env) : FromOutcome(env, tun->SetMtu(ToInt(env, args[1])));
}

napi_value TunSetUp(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  return tun == nullptr ? ClosedHandle(env) : FromOutcome(env, tun->SetUp(ToInt(env, args[1]) != 0));
}

napi_value TunSetTxQueueLength(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  return tun == nullptr ? ClosedHandle(env) : FromOutcome(env, tun->SetTxQueueLength(ToInt(env, args[1])));
}

// The hot four: (handle, batch or bytes): count or -errno
napi_value TunReadBatch(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  Batch* batch = ToBatch(env, args[1]);
  return FromInt(env, tun == nullptr || batch == nullptr ? -EBADF : tun->ReadBatch(*batch));
}

napi_value TunWriteBatch(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  Batch* batch = ToBatch(env, args[1]);
  return FromInt(env, tun == nullptr || batch == nullptr ? -EBADF : tun->WriteBatch(*batch));
}

napi_value TunReadPacket(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  const Bytes bytes = ToBytes(env, args[1]);
  return FromInt(env, tun == nullptr || bytes.data == nullptr ? -EBADF : tun->ReadPacket(bytes.data, bytes.size));
}

napi_value TunWritePacket(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  const Bytes bytes = ToBytes(env, args[1]);
  return FromInt(env, tun == nullptr || bytes.data == nullptr ? -EBADF : tun->WritePacket(bytes.data, bytes.size));
}

// tunReadFrame(handle, into, at): bytes or -errno. What is behind `at` must hold the largest frame.
napi_value TunReadFrame(napi_env env, napi_callback_info info) {
  napi_value args[3];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  const Bytes into = ToBytes(env, args[1]);
  const int32_t at = ToInt(env, args[2], -1);
  if (tun == nullptr || into.data == nullptr) return FromInt(env, -EBADF);
  if (at < 0 || size_t(at) > into.size) return FromInt(env, -EINVAL);
  return FromInt(env, tun->ReadFrame(into.data + at, into.size - size_t(at)));
}

// tunWriteFrame(handle, head, headBytes, body, at, bytes): bytes or -errno
napi_value TunWriteFrame(napi_env env, napi_callback_info info) {
  napi_value args[6];
  Arguments(env, info, args);
  Tun* tun = ToTun(env, args[0]);
  const Bytes head = ToBytes(env, args[1]);
  const Bytes body = ToBytes(env, args[3]);
  const int32_t headBytes = ToInt(env, args[2], -1);
  const int32_t at = ToInt(env, args[4], -1);
  const int32_t bytes = ToInt(env, args[5], -1);
  if (tun == nullptr || head.data == nullptr || body.data == nullptr) return FromInt(env, -EBADF);
  const bool inside = headBytes >= 0 && size_t(headBytes) <= head.size && at >= 0 && bytes >= 0 &&
                      size_t(at) + size_t(bytes) <= body.size;
  if (!inside) return FromInt(env, -EINVAL);
  return FromInt(env, tun->WriteFrame(head.data, size_t(headBytes), body.data + at, size_t(bytes)));
}

}  // namespace

void RegisterTun(napi_env env, napi_value exports) {
  GetAddon(env)->tuns = std::make_shared<TunTable>();
  SetFunction(env, exports, "tunOpen", TunOpen);
  SetFunction(env, exports, "tunClose", TunClose);
  SetFunction(env, exports, "tunInfo", TunInfo);
  SetFunction(env, exports, "tunOpenedName", TunOpenedName);
  SetFunction(env, exports, "tunCurrentName", TunCurrentName);
  SetFunction(env, exports, "tunLinkState", TunLinkState);
  SetFunction(env, exports, "tunRefreshLosses", TunRefreshLosses);
  SetFunction(env, exports, "tunSetOffloads", TunSetOffloads);
  SetFunction(env, exports, "tunSetPersist", TunSetPersist);
  SetFunction(env, exports, "tunSetMtu", TunSetMtu);
  SetFunction(env, exports, "tunSetUp", TunSetUp);
  SetFunction(env, exports, "tunSetTxQueueLength", TunSetTxQueueLength);
  SetFunction(env, exports, "tunReadBatch", TunReadBatch);
  SetFunction(env, exports, "tunWriteBatch", TunWriteBatch);
  SetFunction(env, exports, "tunReadPacket", TunReadPacket);
  SetFunction(env, exports, "tunWritePacket", TunWritePacket);
  SetFunction(env, exports, "tunSetFrameOffloads", TunSetFrameOffloads);
  SetFunction(env, exports, "tunReadFrame", TunReadFrame);
  SetFunction(env, exports, "tunWriteFrame", TunWriteFrame);
}

}  // namespace tuntap
