#include "x25519.h"

#include <string.h>

#include "x25519_base.h"
#include "x86_vectors.h"

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

int MultiplyBase(const Libcrypto& crypto, uint8_t* out, const uint8_t* scalar) {
  constexpr uint8_t kBase[kPointBytes] = {9};
  return X25519(crypto, out, scalar, kBase);
}

// Whether this build of the table says what libcrypto says. It is asked once; if not, the table is never used.
bool TableAgrees(const Libcrypto& crypto) {
  uint8_t scalar[kPointBytes];
  for (size_t i = 0; i < kPointBytes; i++) scalar[i] = uint8_t(0x80 + 7 * i);
  for (int i = 0; i < 8; i++) {
    uint8_t expected[kPointBytes];
    uint8_t seen[kPointBytes];
    if (MultiplyBase(crypto, expected, scalar) != 1) return false;
    X25519BaseByTable(seen, scalar);
    if (memcmp(expected, seen, kPointBytes) != 0) return false;
    memcpy(scalar, seen, kPointBytes);
  }
  return true;
}

#if defined(__x86_64__)
// The same question to the vector code, in every lane.
bool VectorsAgree(const Libcrypto& crypto) {
  uint8_t scalars[kX25519PairsMax * kPointBytes], points[sizeof scalars], publics[sizeof scalars], shareds[sizeof scalars];
  for (size_t i = 0; i < sizeof scalars; i++) {
    scalars[i] = uint8_t(0x81 + 11 * i);
    points[i] = uint8_t(0x42 + 5 * i);
  }
  for (int round = 0; round < 2; round++) {
    X25519PairsAvx512(publics, shareds, scalars, points, kX25519PairsMax);
    for (size_t at = 0; at < sizeof scalars; at += kPointBytes) {
      uint8_t expected[kPointBytes];
      if (MultiplyBase(crypto, expected, scalars + at) != 1) return false;
      if (memcmp(expected, publics + at, kPointBytes) != 0) return false;
      if (X25519(crypto, expected, scalars + at, points + at) != 1) return false;
      if (memcmp(expected, shareds + at, kPointBytes) != 0) return false;
    }
    memcpy(scalars, shareds, sizeof scalars);
    memcpy(points, publics, sizeof points);
  }
  return true;
}
#endif

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
  static const bool tableIsGood = TableAgrees(crypto);
  if (!tableIsGood) return MultiplyBase(crypto, out, scalar);
  X25519BaseByTable(out, scalar);
  return 1;
}

int X25519Pairs(const Libcrypto& crypto, uint8_t* publics, uint8_t* shareds, const uint8_t* scalars, const uint8_t* points,
                size_t count) {
  int usable = 0;
#if defined(__x86_64__)
  static const bool vectorsAreGood = CpuHasAvx512() && VectorsAgree(crypto);
  // All lanes cost what one does, which is more than a lone pair costs without them.
  if (vectorsAreGood && count > 1) {
    X25519PairsAvx512(publics, shareds, scalars, points, count);
    for (size_t i = 0; i < count; i++) usable |= AnyBit(shareds + i * kPointBytes) << i;
    return usable;
  }
#endif
  for (size_t i = 0; i < count; i++) {
    const size_t at = i * kPointBytes;
    if (X25519Base(crypto, publics + at, scalars + at) != 1) return -1;
    usable |= X25519(crypto, shareds + at, scalars + at, points + at) << i;
  }
  return usable;
}

}  // namespace tuntap
