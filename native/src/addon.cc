// Module entry and the binding helpers. It knows no area's logic: each bind_*.cc registers its own functions.
#include "addon.h"

#include <cmath>

namespace tuntap {
namespace {

void DeleteAddon(napi_env env, void* data, void*) {
  auto* addon = static_cast<Addon*>(data);
  for (AttachedBatch& attached : addon->batches) {
    if (attached.buffer != nullptr) napi_delete_reference(env, attached.buffer);
  }
  delete addon;
}

// attachBatch(buffer: ArrayBuffer, slots, runs, endpoints, arenaBytes): handle, or -1 if the sizes do not fit.
napi_value AttachBatch(napi_env env, napi_callback_info info) {
  napi_value args[5];
  Arguments(env, info, args);
  void* base = nullptr;
  size_t size = 0;
  if (napi_get_arraybuffer_info(env, args[0], &base, &size) != napi_ok) return FromInt(env, -1);
  const int32_t slots = ToInt(env, args[1], -1);
  const int32_t runs = ToInt(env, args[2], -1);
  const int32_t endpoints = ToInt(env, args[3], -1);
  const int32_t arenaBytes = ToInt(env, args[4], -1);
  if (slots < 0 || runs < 0 || endpoints < 0 || arenaBytes < 0) return FromInt(env, -1);
  const Layout layout = MakeLayout(size_t(slots), size_t(runs), size_t(endpoints), size_t(arenaBytes));
  if (layout.totalBytes > size) return FromInt(env, -1);
  AttachedBatch attached{MakeBatch(static_cast<uint8_t*>(base), slots, runs, endpoints, arenaBytes), nullptr};
  if (napi_create_reference(env, args[0], 1, &attached.buffer) != napi_ok) return FromInt(env, -1);
  std::vector<AttachedBatch>& batches = GetAddon(env)->batches;
  batches.push_back(attached);
  return FromInt(env, int32_t(batches.size()) - 1);
}

// detachBatch(handle): releases the memory; the handle is never given out again.
napi_value DetachBatch(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  if (ToBatch(env, args[0]) != nullptr) {
    AttachedBatch& attached = GetAddon(env)->batches[size_t(ToInt(env, args[0]))];
    napi_delete_reference(env, attached.buffer);
    attached = AttachedBatch{};
  }
  return nullptr;
}

// failedCall(): name of the system call that made the last cold function fail.
napi_value FailedCall(napi_env env, napi_callback_info) {
  napi_value out = nullptr;
  napi_create_string_utf8(env, GetAddon(env)->failedCall, NAPI_AUTO_LENGTH, &out);
  return out;
}

}  // namespace

Addon* GetAddon(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<Addon*>(data);
}

int32_t ToInt(napi_env env, napi_value v, int32_t fallback) {
  int32_t out = fallback;
  if (v == nullptr || napi_get_value_int32(env, v, &out) != napi_ok) return fallback;
  return out;
}

uint32_t ToUint(napi_env env, napi_value v) {
  uint32_t out = 0;
  return v == nullptr || napi_get_value_uint32(env, v, &out) != napi_ok ? 0 : out;
}

double ToDouble(napi_env env, napi_value v, double fallback) {
  double out = fallback;
  if (v == nullptr || napi_get_value_double(env, v, &out) != napi_ok) return fallback;
  return out;
}

napi_value FromInt(napi_env env, int32_t v) {
  napi_value out = nullptr;
  napi_create_int32(env, v, &out);
  return out;
}

napi_value FromDouble(napi_env env, double v) {
  napi_value out = nullptr;
  napi_create_double(env, v, &out);
  return out;
}

Batch* ToBatch(napi_env env, napi_value handle) {
  const int32_t index = ToInt(env, handle, -1);
  Addon* addon = GetAddon(env);
  if (index < 0 || size_t(index) >= addon->batches.size()) return nullptr;
  AttachedBatch& attached = addon->batches[size_t(index)];
  return attached.buffer == nullptr ? nullptr : &attached.batch;
}

namespace {

// Elements of a typed array of the wanted type; nullptr for anything else.
void* TypedArrayData(napi_env env, napi_value v, napi_typedarray_type wanted, size_t* count) {
  bool typed = false;
  if (v == nullptr || napi_is_typedarray(env, v, &typed) != napi_ok || !typed) return nullptr;
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, v, &type, count, &data, nullptr, nullptr) != napi_ok) return nullptr;
  return type == wanted ? data : nullptr;
}

}  // namespace

Bytes ToBytes(napi_env env, napi_value v) {
  size_t size = 0;
  auto* data = static_cast<uint8_t*>(TypedArrayData(env, v, napi_uint8_array, &size));
  return Bytes{data, data == nullptr ? 0 : size};
}

double* ToDoubles(napi_env env, napi_value v, size_t count) {
  size_t size = 0;
  auto* data = static_cast<double*>(TypedArrayData(env, v, napi_float64_array, &size));
  return size < count ? nullptr : data;
}

int32_t* ToInts(napi_env env, napi_value v, size_t count) {
  size_t size = 0;
  auto* data = static_cast<int32_t*>(TypedArrayData(env, v, napi_int32_array, &size));
  return size < count ? nullptr : data;
}

napi_value FromOutcome(napi_env env, const Outcome& outcome) {
  if (outcome.failed()) GetAddon(env)->failedCall = outcome.call;
  return FromInt(env, outcome.value);
}

void SetFunction(napi_env env, napi_value exports, const char* name, napi_callback f) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, f, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace tuntap

NAPI_MODULE_INIT() {
  using namespace tuntap;
  napi_set_instance_data(env, new Addon(), DeleteAddon, nullptr);
  SetFunction(env, exports, "attachBatch", AttachBatch);
  SetFunction(env, exports, "detachBatch", DetachBatch);
  SetFunction(env, exports, "failedCall", FailedCall);
  RegisterConstants(env, exports);
  RegisterTun(env, exports);
  RegisterUdp(env, exports);
  RegisterPoller(env, exports);
  RegisterAead(env, exports);
  RegisterSystem(env, exports);
  RegisterUnixDatagram(env, exports);
  RegisterRoutes(env, exports);
  return exports;
}
