#include "libcrypto.h"

#include <dlfcn.h>

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
  find(out.keyNewPrivate, "EVP_PKEY_new_raw_private_key");
  find(out.keyNewPublic, "EVP_PKEY_new_raw_public_key");
  find(out.keyGetPublic, "EVP_PKEY_get_raw_public_key");
  find(out.keyFree, "EVP_PKEY_free");
  find(out.keyContextNew, "EVP_PKEY_CTX_new");
  find(out.keyContextFree, "EVP_PKEY_CTX_free");
  find(out.deriveInit, "EVP_PKEY_derive_init");
  find(out.deriveSetPeer, "EVP_PKEY_derive_set_peer");
  find(out.derive, "EVP_PKEY_derive");
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
