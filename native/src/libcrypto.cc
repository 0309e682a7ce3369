#include "libcrypto.h"

#include <dlfcn.h>
#include <string.h>

namespace tuntap {

namespace {

struct Finder {
  void* library;
  const char* missing = nullptr;

  template <typename F>
  void operator()(F& f, const char* name) {
    f = reinterpret_cast<F>(dlsym(library, name));
    if (f == nullptr && missing == nullptr) missing = name;
  }
};

// RFC 7748 section 6.1: Alice's private and public key.
constexpr unsigned char kScalar[32] = {0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1,
                                       0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0,
                                       0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
constexpr unsigned char kPublic[32] = {0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d,
                                       0xdc, 0xb4, 0x3e, 0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38,
                                       0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a};

// The name is libcrypto's own and no promise of it, so what it finds has to prove itself.
void FindMultiply(void* library, Libcrypto& out) {
  constexpr unsigned char kBase[32] = {9};
  unsigned char answer[32] = {};
  Finder find{library};
  find(out.multiply, "ossl_x25519");
  if (out.multiply == nullptr) return;
  const bool right = out.multiply(answer, kScalar, kBase) == 1 && memcmp(answer, kPublic, sizeof(answer)) == 0;
  if (!right) out.multiply = nullptr;
}

void FindHalves(void* library, Libcrypto& out) {
  Finder find{library};
  find(out.chacha20, "ChaCha20_ctr32");
  find(out.polyBytes, "Poly1305_ctx_size");
  find(out.polyInit, "Poly1305_Init");
  find(out.polyUpdate, "Poly1305_Update");
  find(out.polyFinal, "Poly1305_Final");
  if (find.missing != nullptr) out.chacha20 = nullptr;
}

const char* FindAll(void* library, Libcrypto& out) {
  Finder find{library};
  find(out.chacha20Poly1305, "EVP_chacha20_poly1305");
  find(out.cipherContextNew, "EVP_CIPHER_CTX_new");
  find(out.cipherContextFree, "EVP_CIPHER_CTX_free");
  find(out.cipherInit, "EVP_CipherInit_ex");
  find(out.cipherUpdate, "EVP_CipherUpdate");
  find(out.cipherFinal, "EVP_CipherFinal_ex");
  find(out.cipherControl, "EVP_CIPHER_CTX_ctrl");
  find(out.errorClear, "ERR_clear_error");
  find(out.keyNewPublic, "EVP_PKEY_new_raw_public_key");
  find(out.keyFree, "EVP_PKEY_free");
  find(out.keyContextNew, "EVP_PKEY_CTX_new");
  find(out.keyContextFree, "EVP_PKEY_CTX_free");
  find(out.deriveInit, "EVP_PKEY_derive_init");
  find(out.deriveSetPeer, "EVP_PKEY_derive_set_peer_ex");
  find(out.derive, "EVP_PKEY_derive");
  find(out.keyContextNewByName, "EVP_PKEY_CTX_new_from_name");
  find(out.fromDataInit, "EVP_PKEY_fromdata_init");
  find(out.fromData, "EVP_PKEY_fromdata");
  if (find.missing == nullptr) FindMultiply(library, out);
  FindHalves(library, out);
  return find.missing;
}

}  // namespace

bool FindLibcrypto(Libcrypto& out, std::string& reason) {
  if (FindAll(RTLD_DEFAULT, out) == nullptr) return true;
  // Never closed: libcrypto registers exit handlers, and the functions must outlive every key.
  void* library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    reason = "neither this process nor the system has libcrypto: install libssl3 (apt install libssl3)";
    return false;
  }
  const char* missing = FindAll(library, out);
  if (missing == nullptr) return true;
  reason = std::string("libcrypto.so.3 has no ") + missing + ": install OpenSSL 3 (apt install libssl3)";
  return false;
}

}  // namespace tuntap
