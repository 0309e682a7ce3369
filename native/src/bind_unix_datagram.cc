// Unwraps, calls, wraps; the logic is in unix_datagram.h.
#include "addon.h"
#include "unix_datagram.h"

namespace tuntap {
namespace {

constexpr size_t kAddressBytes = 256;  // longer than any UNIX address: too long a one is refused, not cut

// sendUnixDatagram(address, text: Uint8Array, fds: Int32Array, count): bytes sent or -errno
napi_value SendDatagram(napi_env env, napi_callback_info info) {
  napi_value args[4];
  Arguments(env, info, args);
  char address[kAddressBytes] = {};
  size_t length = 0;
  napi_get_value_string_utf8(env, args[0], address, sizeof address, &length);
  const Bytes text = ToBytes(env, args[1]);
  const int32_t count = ToInt(env, args[3], -1);
  const int32_t* fds = count < 0 ? nullptr : ToInts(env, args[2], size_t(count));
  if (text.data == nullptr || (fds == nullptr && count != 0)) {
    return FromOutcome(env, FailedWith(EINVAL, "sendUnixDatagram"));
  }
  return FromOutcome(env, SendUnixDatagram(address, length, text.data, text.size, fds, size_t(count)));
}

// closeOnExec(fd): 0 or -errno
napi_value SetCloseOnExec(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  return FromOutcome(env, CloseOnExec(ToInt(env, args[0], -1)));
}

}  // namespace

void RegisterUnixDatagram(napi_env env, napi_value exports) {
  SetFunction(env, exports, "sendUnixDatagram", SendDatagram);
  SetFunction(env, exports, "closeOnExec", SetCloseOnExec);
}

}  // namespace tuntap
