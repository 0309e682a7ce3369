// The few libcrypto functions that this package calls, found in the running process at run time.
// No OpenSSL headers: the prototypes stand here. Source: EVP_EncryptInit(3), EVP_PKEY_derive(3), EVP_PKEY_new(3),
// EVP_PKEY_fromdata(3).
#pragma once

#include <cstddef>
#include <string>

// OpenSSL's own types, never looked into.
struct evp_cipher_ctx_st;
struct evp_cipher_st;
struct evp_pkey_st;
struct evp_pkey_ctx_st;
struct engine_st;
struct ossl_lib_ctx_st;

namespace tuntap {

/// OSSL_PARAM, part of OpenSSL 3's stable interface. Source: OSSL_PARAM(3).
struct CryptoParam {
  const char* key;
  unsigned int type;
  void* data;
  size_t size;
  size_t returnSize;
};

struct Libcrypto {
  const evp_cipher_st* (*chacha20Poly1305)();
  evp_cipher_ctx_st* (*cipherContextNew)();
  void (*cipherContextFree)(evp_cipher_ctx_st*);
  int (*cipherInit)(evp_cipher_ctx_st*, const evp_cipher_st*, engine_st*, const unsigned char* key,
                    const unsigned char* iv, int encrypt);
  int (*cipherUpdate)(evp_cipher_ctx_st*, unsigned char* out, int* outLength, const unsigned char* in, int inLength);
  int (*cipherFinal)(evp_cipher_ctx_st*, unsigned char* out, int* outLength);
  int (*cipherControl)(evp_cipher_ctx_st*, int type, int arg, void* p);
  void (*errorClear)();

  evp_pkey_st* (*keyNewPublic)(int type, engine_st*, const unsigned char* key, size_t length);
  void (*keyFree)(evp_pkey_st*);
  evp_pkey_ctx_st* (*keyContextNew)(evp_pkey_st*, engine_st*);
  void (*keyContextFree)(evp_pkey_ctx_st*);
  int (*deriveInit)(evp_pkey_ctx_st*);
  int (*deriveSetPeer)(evp_pkey_ctx_st*, evp_pkey_st*, int validate);
  int (*derive)(evp_pkey_ctx_st*, unsigned char* out, size_t* length);
  evp_pkey_ctx_st* (*keyContextNewByName)(ossl_lib_ctx_st*, const char* name, const char* properties);
  int (*fromDataInit)(evp_pkey_ctx_st*);
  int (*fromData)(evp_pkey_ctx_st*, evp_pkey_st** key, int selection, CryptoParam*);

  /// What EVP calls below for X25519, with the same wipes; nullptr unless this process exports it, as node does, and it
  /// gives the answer of RFC 7748. EVP around it costs a quarter more, and the public key with it.
  int (*multiply)(unsigned char* out, const unsigned char* scalar, const unsigned char* point);

  /// The two halves of what EVP calls ChaCha20-Poly1305, which take half as long for a packet without EVP around them. All or
  /// none; nullptr unless this process exports them, as node does. The names are libcrypto's own and no promise of it, so whoever
  /// uses them first compares what they do with EVP.
  /// @param key, counter  32 and 16 bytes as little-endian words: block counter, nonce
  void (*chacha20)(unsigned char* out, const unsigned char* in, size_t length, const unsigned int* key,
                   const unsigned int* counter);
  size_t (*polyBytes)();
  void (*polyInit)(void* state, const unsigned char* key);
  void (*polyUpdate)(void* state, const unsigned char* data, size_t length);
  void (*polyFinal)(void* state, unsigned char* tag);
};

// Values of <openssl/evp.h> and <openssl/obj_mac.h>; stable since 1.1.0.
constexpr int kEvpCtrlAeadGetTag = 0x10;
constexpr int kEvpCtrlAeadSetTag = 0x11;
constexpr int kEvpPkeyX25519 = 1034;
// Of <openssl/evp.h> and <openssl/core.h>, OpenSSL 3.
constexpr int kEvpPkeyKeypair = 0x87;
constexpr unsigned int kParamOctets = 5;

/// Fills `out` with the functions of the libcrypto that this process already has (Node exports its own), else of the
/// system's libcrypto.so.3.
/// @return whether all were found; if not, `reason` says which is missing.
bool FindLibcrypto(Libcrypto& out, std::string& reason);

}  // namespace tuntap
