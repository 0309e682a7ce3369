#include "x25519.h"

#include <string.h>

namespace tuntap {

namespace {

constexpr size_t kPointBytes = 32;

// 1 if any bit is set, else 0, without a branch on the value.
int AnyBit(const uint8_t* p) {
  uint32_t any = 0;
  for (size_t i = 0; i < kPointBytes; i++) any |= p[i];
  return int((any + 0xff) >> 8);
}

// The multiplication by way of EVP. A private key that comes without its public one costs a second multiplication: it
// is given one, any, since deriving does not look at it.
bool Derive(const Libcrypto& crypto, uint8_t* shared, const uint8_t* scalar, const uint8_t* point) {
  size_t length = kPointBytes;
  CryptoParam params[] = {
      {"priv", kParamOctets, const_cast<uint8_t*>(scalar), kPointBytes, SIZE_MAX},
      {"pub", kParamOctets, const_cast<uint8_t*>(point), kPointBytes, SIZE_MAX},
      {nullptr, 0, nullptr, 0, 0},
  };
  // Both keys free their copies of the scalar with a wipe.
  evp_pkey_ctx_st* maker = crypto.keyContextNewByName(nullptr, "X25519", nullptr);
  evp_pkey_st* own = nullptr;
  const bool made = maker != nullptr && crypto.fromDataInit(maker) == 1 &&
                    crypto.fromData(maker, &own, kEvpPkeyKeypair, params) == 1;
  evp_pkey_st* peer = made ? crypto.keyNewPublic(kEvpPkeyX25519, nullptr, point, kPointBytes) : nullptr;
  evp_pkey_ctx_st* context = peer != nullptr ? crypto.keyContextNew(own, nullptr) : nullptr;
  const bool derived = context != nullptr && crypto.deriveInit(context) == 1 &&
                       crypto.deriveSetPeer(context, peer, 0) == 1 && crypto.derive(context, shared, &length) == 1 &&
                       length == kPointBytes;
  crypto.keyContextFree(context);
  crypto.keyFree(peer);
  crypto.keyFree(own);
  crypto.keyContextFree(maker);
  return derived;
}

}  // namespace

int X25519(const Libcrypto& crypto, uint8_t* out, const uint8_t* scalar, const uint8_t* point) {
  uint8_t shared[kPointBytes] = {};
  const bool derived = crypto.multiply != nullptr ? crypto.multiply(shared, scalar, point) == 1
                                                  : Derive(crypto, shared, scalar, point);
  // libcrypto refuses an all-zero result itself; this does not depend on it.
  const int good = derived ? AnyBit(shared) : 0;
  if (good == 0) {
    explicit_bzero(shared, sizeof(shared));
    crypto.errorClear();
  }
  memcpy(out, shared, kPointBytes);
  explicit_bzero(shared, sizeof(shared));
  return good;
}

int X25519Base(const Libcrypto& crypto, uint8_t* out, const uint8_t* scalar) {
  constexpr uint8_t kBase[kPointBytes] = {9};
  return X25519(crypto, out, scalar, kBase);
}

}  // namespace tuntap
