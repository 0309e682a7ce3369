// Unwraps, calls, wraps; the logic is in system.h.
#include "addon.h"
#include "system.h"

namespace tuntap {
namespace {

// readClock(into: Float64Array(3)): 0 or -EINVAL
napi_value ReadClockInto(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  double* cells = ToDoubles(env, args[0], kClockCells);
  if (cells == nullptr) return FromInt(env, -EINVAL);
  ReadClock(cells);
  return FromInt(env, 0);
}

napi_value DisableDumpsNow(napi_env env, napi_callback_info) { return FromOutcome(env, DisableDumps()); }

// endProcess(status): does not return
napi_value EndProcessNow(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  EndProcess(ToInt(env, args[0]));
}

// enterNetworkNamespace(path): 0 or -errno
napi_value EnterNamespace(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  char path[4096] = {};
  size_t length = 0;
  napi_get_value_string_utf8(env, args[0], path, sizeof path, &length);
  return FromOutcome(env, EnterNetworkNamespace(path));
}

}  // namespace

void RegisterSystem(napi_env env, napi_value exports) {
  SetFunction(env, exports, "readClock", ReadClockInto);
  SetFunction(env, exports, "disableDumps", DisableDumpsNow);
  SetFunction(env, exports, "endProcess", EndProcessNow);
  SetFunction(env, exports, "enterNetworkNamespace", EnterNamespace);
}

}  // namespace tuntap
