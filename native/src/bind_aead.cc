// The AEAD and X25519 for JavaScript: unwraps, calls, wraps. Handles index AeadState::aeads.

#include <errno.h>
#include <string.h>

#include <memory>
#include <string>
#include <vector>

#include "addon.h"
#include "aead.h"
#include "x25519.h"

namespace tuntap {

struct AeadState {
  std::vector<std::unique_ptr<Aead>> aeads;  // a closed one is nullptr
  Libcrypto crypto;
  bool hasCrypto;
};

namespace {

constexpr int32_t kKeySlotsMax = 1 << 20;

Aead* ToAead(napi_env env, napi_value handle) {
  const auto& aeads = GetAddon(env)->aead->aeads;
  const int32_t i = ToInt(env, handle, -1);
  return i >= 0 && size_t(i) < aeads.size() ? aeads[size_t(i)].get() : nullptr;
}

std::string ToString(napi_env env, napi_value v) {
  char text[64] = {};
  size_t length = 0;
  if (v == nullptr || napi_get_value_string_utf8(env, v, text, sizeof(text), &length) != napi_ok) return "";
  return std::string(text, length);
}

napi_value FromString(napi_env env, const std::string& text) {
  napi_value v = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &v);
  return v;
}

// aeadBackends(): string[] of the backends that work here, fastest first.
napi_value Backends(napi_env env, napi_callback_info) {
  napi_value list = nullptr;
  napi_create_array(env, &list);
  uint32_t n = 0;
  for (const char* name : AeadBackendNames()) {
    if (MakeAeadBackend(name, 1).backend) napi_set_element(env, list, n++, FromString(env, name));
  }
  return list;
}

// aeadCreate(backend, keySlots): a handle, or a string that says why not.
napi_value Create(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  const int32_t keySlots = ToInt(env, args[1]);
  if (keySlots < 1 || keySlots > kKeySlotsMax) return FromString(env, "keySlots must be 1 to 1,048,576");
  AeadBackendChoice choice = MakeAeadBackend(ToString(env, args[0]).c_str(), keySlots + 1);
  if (!choice.backend) return FromString(env, choice.reason);
  auto& aeads = GetAddon(env)->aead->aeads;
  aeads.push_back(std::make_unique<Aead>(std::move(choice.backend), keySlots));
  return FromInt(env, int32_t(aeads.size() - 1));
}

// aeadName(handle): name of its backend.
napi_value Name(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  const Aead* aead = ToAead(env, args[0]);
  return FromString(env, aead == nullptr ? "" : aead->backendName());
}

// aeadClose(handle): wipes every key.
napi_value Close(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  if (ToAead(env, args[0]) == nullptr) return FromInt(env, -EBADF);
  GetAddon(env)->aead->aeads[size_t(ToInt(env, args[0]))].reset();
  return FromInt(env, 0);
}

// aeadSetKey(handle, slot, key)
napi_value SetKey(napi_env env, napi_callback_info info) {
  napi_value args[3];
  Arguments(env, info, args);
  Aead* aead = ToAead(env, args[0]);
  const Bytes key = ToBytes(env, args[2]);
  if (aead == nullptr) return FromInt(env, -EBADF);
  if (key.size != kKeyBytes) return FromInt(env, -EINVAL);
  return FromInt(env, aead->SetKey(ToInt(env, args[1], -1), key.data));
}

// aeadClearKey(handle, slot)
napi_value ClearKey(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Aead* aead = ToAead(env, args[0]);
  return FromInt(env, aead == nullptr ? -EBADF : aead->ClearKey(ToInt(env, args[1], -1)));
}

// aeadSeal(handle, batch): packets sealed. HOT.
napi_value Seal(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Aead* aead = ToAead(env, args[0]);
  Batch* batch = ToBatch(env, args[1]);
  return FromInt(env, aead == nullptr || batch == nullptr ? -EBADF : aead->Seal(*batch));
}

// aeadOpen(handle, batch): packets opened. HOT.
napi_value Open(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Aead* aead = ToAead(env, args[0]);
  Batch* batch = ToBatch(env, args[1]);
  return FromInt(env, aead == nullptr || batch == nullptr ? -EBADF : aead->Open(*batch));
}

// aeadSealOnce / aeadOpenOnce(handle, out, key, nonce, aad, in): 0 or -errno.
napi_value Once(napi_env env, napi_callback_info info, bool seal) {
  napi_value args[6];
  Arguments(env, info, args);
  Aead* aead = ToAead(env, args[0]);
  const Bytes out = ToBytes(env, args[1]);
  const Bytes key = ToBytes(env, args[2]);
  const Bytes nonce = ToBytes(env, args[3]);
  const Bytes aad = ToBytes(env, args[4]);
  const Bytes in = ToBytes(env, args[5]);
  if (aead == nullptr) return FromInt(env, -EBADF);
  if (key.size != kKeyBytes || nonce.size != kNonceBytes || in.size > 0x7fffffff || aad.size > 0x7fffffff) {
    return FromInt(env, -EINVAL);
  }
  if (seal ? out.size != in.size + kTagBytes : in.size != out.size + kTagBytes) return FromInt(env, -EINVAL);
  const size_t length = seal ? in.size : out.size;
  std::vector<uint8_t> work(length + kTagBytes);
  if (in.size > 0) memcpy(work.data(), in.data, in.size);
  AeadItem item{};
  item.text = work.data();
  item.length = uint32_t(length);
  item.aad = aad.data;
  item.aadLength = uint32_t(aad.size);
  memcpy(item.nonce, nonce.data, kNonceBytes);
  const int result = seal ? aead->SealOnce(key.data, item) : aead->OpenOnce(key.data, item);
  if (out.size > 0) memcpy(out.data, work.data(), out.size);
  explicit_bzero(work.data(), work.size());
  return FromInt(env, result);
}

napi_value SealOnce(napi_env env, napi_callback_info info) { return Once(env, info, true); }
napi_value OpenOnce(napi_env env, napi_callback_info info) { return Once(env, info, false); }

// x25519(out, scalar, point): 1, 0 for an all-zero result, or -errno.
napi_value Multiply(napi_env env, napi_callback_info info) {
  napi_value args[3];
  Arguments(env, info, args);
  const AeadState& state = *GetAddon(env)->aead;
  const Bytes out = ToBytes(env, args[0]);
  const Bytes scalar = ToBytes(env, args[1]);
  const Bytes point = ToBytes(env, args[2]);
  if (!state.hasCrypto) return FromInt(env, -ENOSYS);
  if (out.size != 32 || scalar.size != 32 || point.size != 32) return FromInt(env, -EINVAL);
  return FromInt(env, X25519(state.crypto, out.data, scalar.data, point.data));
}

// x25519Base(out, scalar): 1, or -errno.
napi_value MultiplyBase(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  const AeadState& state = *GetAddon(env)->aead;
  const Bytes out = ToBytes(env, args[0]);
  const Bytes scalar = ToBytes(env, args[1]);
  if (!state.hasCrypto) return FromInt(env, -ENOSYS);
  if (out.size != 32 || scalar.size != 32) return FromInt(env, -EINVAL);
  return FromInt(env, X25519Base(state.crypto, out.data, scalar.data) == 1 ? 1 : -EIO);
}

// x25519Pairs(publics, shareds, scalars, points, count): bit i: shared i is not all zeros; or -errno.
napi_value MultiplyPairs(napi_env env, napi_callback_info info) {
  napi_value args[5];
  Arguments(env, info, args);
  const AeadState& state = *GetAddon(env)->aead;
  const Bytes publics = ToBytes(env, args[0]);
  const Bytes shareds = ToBytes(env, args[1]);
  const Bytes scalars = ToBytes(env, args[2]);
  const Bytes points = ToBytes(env, args[3]);
  const int32_t count = ToInt(env, args[4]);
  if (!state.hasCrypto) return FromInt(env, -ENOSYS);
  if (count < 1 || size_t(count) > kX25519PairsMax) return FromInt(env, -EINVAL);
  for (const Bytes& bytes : {publics, shareds, scalars, points}) {
    if (bytes.size < size_t(count) * 32) return FromInt(env, -EINVAL);
  }
  const int usable = X25519Pairs(state.crypto, publics.data, shareds.data, scalars.data, points.data, size_t(count));
  return FromInt(env, usable < 0 ? -EIO : usable);
}

}  // namespace

void RegisterAead(napi_env env, napi_value exports) {
  auto state = std::make_shared<AeadState>();
  std::string reason;
  state->hasCrypto = FindLibcrypto(state->crypto, reason);
  GetAddon(env)->aead = std::move(state);
  SetFunction(env, exports, "aeadBackends", Backends);
  SetFunction(env, exports, "aeadCreate", Create);
  SetFunction(env, exports, "aeadName", Name);
  SetFunction(env, exports, "aeadClose", Close);
  SetFunction(env, exports, "aeadSetKey", SetKey);
  SetFunction(env, exports, "aeadClearKey", ClearKey);
  SetFunction(env, exports, "aeadSeal", Seal);
  SetFunction(env, exports, "aeadOpen", Open);
  SetFunction(env, exports, "aeadSealOnce", SealOnce);
  SetFunction(env, exports, "aeadOpenOnce", OpenOnce);
  SetFunction(env, exports, "x25519", Multiply);
  SetFunction(env, exports, "x25519Base", MultiplyBase);
  SetFunction(env, exports, "x25519Pairs", MultiplyPairs);
}

}  // namespace tuntap
