// What the binding files share: the addon's instance data and argument helpers. Logic lives elsewhere.
#pragma once

#include <node_api.h>

#include <memory>
#include <vector>

#include "layout.h"
#include "syscall_error.h"

namespace tuntap {

// A batch that JavaScript attached. The reference keeps its ArrayBuffer alive.
struct AttachedBatch {
  Batch batch;
  napi_ref buffer;
};

struct TunTable;     // bind_tun.cc
struct UdpTable;     // bind_udp.cc
struct PollerTable;  // bind_poller.cc
struct AeadState;    // bind_aead.cc

// One per environment (main thread or worker); hangs off napi_set_instance_data, never a global.
struct Addon {
  std::vector<AttachedBatch> batches;  // handle = index
  const char* failedCall = "";         // system call that made the last cold function fail, for failedCall()
  // Each owned by its binding file, which registers a deleter.
  std::shared_ptr<TunTable> tuns;
  std::shared_ptr<UdpTable> sockets;
  std::shared_ptr<PollerTable> pollers;
  std::shared_ptr<AeadState> aead;
};

Addon* GetAddon(napi_env env);

// Reads up to N arguments; missing ones are nullptr. Returns how many were passed.
template <size_t N>
size_t Arguments(napi_env env, napi_callback_info info, napi_value (&out)[N]) {
  size_t count = N;
  for (auto& v : out) v = nullptr;
  napi_get_cb_info(env, info, &count, out, nullptr, nullptr);
  return count;
}

// Plain conversions; a value of another type gives `fallback`.
int32_t ToInt(napi_env env, napi_value v, int32_t fallback = 0);
uint32_t ToUint(napi_env env, napi_value v);  // modulo 2^32, as JavaScript's >>> 0; 0 for no number
double ToDouble(napi_env env, napi_value v, double fallback = 0);
napi_value FromInt(napi_env env, int32_t v);
napi_value FromDouble(napi_env env, double v);
// Batch by handle argument, or nullptr if the handle was never given out.
Batch* ToBatch(napi_env env, napi_value handle);
// Bytes of a Uint8Array argument; {nullptr, 0} for anything else.
struct Bytes { uint8_t* data; size_t size; };
Bytes ToBytes(napi_env env, napi_value v);
// Cells of a Float64Array or Int32Array of at least `count` elements, or nullptr.
double* ToDoubles(napi_env env, napi_value v, size_t count);
int32_t* ToInts(napi_env env, napi_value v, size_t count);
// The value; a failed call's name is kept for failedCall().
napi_value FromOutcome(napi_env env, const Outcome& outcome);

void SetFunction(napi_env env, napi_value exports, const char* name, napi_callback f);

// Each binding file adds its functions to `exports`.
void RegisterTun(napi_env env, napi_value exports);
void RegisterUdp(napi_env env, napi_value exports);
void RegisterPoller(napi_env env, napi_value exports);
void RegisterAead(napi_env env, napi_value exports);
void RegisterSystem(napi_env env, napi_value exports);
void RegisterUnixDatagram(napi_env env, napi_value exports);
void RegisterRoutes(napi_env env, napi_value exports);
void RegisterConstants(napi_env env, napi_value exports);

}  // namespace tuntap
