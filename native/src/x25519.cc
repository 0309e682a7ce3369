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

}  // namespace

int X25519(const Libcrypto& crypto, uint8_t* out, const uint8_t* scalar, const uint8_t* point) {
  uint8_t shared[kPointBytes] = {};
  size_t length = sizeof(shared);
  // Both keys free their copies of the scalar with a wipe.
  evp_pkey_st* own = crypto.keyNewPrivate(kEvpPkeyX25519, nullptr, scalar, kPointBytes);
  evp_pkey_st* peer = crypto.keyNewPublic(kEvpPkeyX25519, nullptr, point, kPointBytes);
  evp_pkey_ctx_st* context = own != nullptr && peer != nullptr ? crypto.keyContextNew(own, nullptr) : nullptr;
  const bool derived = context != nullptr && crypto.deriveInit(context) == 1 &&
                       crypto.deriveSetPeer(context, peer) == 1 && crypto.derive(context, shared, &length) == 1 &&
                       length == kPointBytes;
  crypto.keyContextFree(context);
  crypto.keyFree(peer);
  crypto.keyFree(own);
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
  size_t length = kPointBytes;
  evp_pkey_st* own = crypto.keyNewPrivate(kEvpPkeyX25519, nullptr, scalar, kPointBytes);
  const bool good = own != nullptr && crypto.keyGetPublic(own, out, &length) == 1 && length == kPointBytes;
  crypto.keyFree(own);
  if (good) return 1;
  memset(out, 0, kPointBytes);
  crypto.errorClear();
  return 0;
}

}  // namespace tuntap
