// Unwraps, calls, wraps; the logic is in routes.h.
#include <cstring>

#include "addon.h"
#include "routes.h"

namespace tuntap {
namespace {

// routeWatchOpen(): descriptor or -errno
napi_value OpenWatch(napi_env env, napi_callback_info) { return FromOutcome(env, OpenRouteWatch()); }

// routesChanged(fd): 0 or 1
napi_value Changed(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  return FromInt(env, RoutesChanged(ToInt(env, args[0], -1)) ? 1 : 0);
}

// routeInterface(records: Uint8Array, offset, mark): index, 0 or -errno
napi_value Interface(napi_env env, napi_callback_info info) {
  napi_value args[3];
  Arguments(env, info, args);
  const Bytes records = ToBytes(env, args[0]);
  const int32_t offset = ToInt(env, args[1], -1);
  EndpointRecord record;
  if (records.data == nullptr || offset < 0 || size_t(offset) + sizeof record > records.size) return FromInt(env, -EINVAL);
  memcpy(&record, records.data + offset, sizeof record);
  return FromInt(env, InterfaceOf(record, uint32_t(ToInt(env, args[2]))));
}

}  // namespace

void RegisterRoutes(napi_env env, napi_value exports) {
  SetFunction(env, exports, "routeWatchOpen", OpenWatch);
  SetFunction(env, exports, "routesChanged", Changed);
  SetFunction(env, exports, "routeInterface", Interface);
}

}  // namespace tuntap
