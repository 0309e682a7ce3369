// Which AEAD backend a process gets.

#include <string.h>

#include "aead.h"

namespace tuntap {

namespace {

struct NamedBackend {
  const char* name;
  AeadBackendChoice (*make)(int keySlots);
};

constexpr NamedBackend kAvx512Backend{"native-avx512", MakeAvx512Backend};
constexpr NamedBackend kAvx2Backend{"native-avx2", MakeAvx2Backend};
constexpr NamedBackend kIpsecMbBackend{"ipsec-mb", MakeIpsecMbBackend};
constexpr NamedBackend kOpensslBackend{"openssl", MakeOpensslBackend};

// Fastest first, as measured. A CPU with AVX-512 that lacks what our own AVX-512 code needs has ipsec-mb's.
std::vector<NamedBackend> Backends() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {kAvx512Backend, kIpsecMbBackend, kAvx2Backend, kOpensslBackend};
#endif
  return {kAvx512Backend, kAvx2Backend, kIpsecMbBackend, kOpensslBackend};
}

// RFC 8439 2.8.2
constexpr uint8_t kTestAad[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
constexpr uint8_t kTestNonce[kNonceBytes] = {7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47};
constexpr char kTestText[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would "
    "be it.";
constexpr size_t kTestBytes = sizeof(kTestText) - 1;
constexpr uint8_t kTestTag[kTagBytes] = {0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a,
                                         0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91};

}  // namespace

bool AeadSelfTest(AeadBackend& backend) {
  constexpr size_t kMessages = 3;
  uint8_t key[kKeyBytes];
  for (size_t i = 0; i < kKeyBytes; i++) key[i] = uint8_t(0x80 + i);
  if (backend.SetKey(0, key) != 0) return false;
  uint8_t text[kMessages][kTestBytes + kTagBytes];
  AeadItem items[kMessages] = {};
  for (size_t i = 0; i < kMessages; i++) {
    memcpy(text[i], kTestText, kTestBytes);
    items[i].text = text[i];
    items[i].length = kTestBytes;
    items[i].aad = kTestAad;
    items[i].aadLength = sizeof(kTestAad);
    memcpy(items[i].nonce, kTestNonce, kNonceBytes);
  }
  bool good = backend.Seal(items, kMessages) == 0;
  for (size_t i = 0; i < kMessages; i++) good &= memcmp(text[i] + kTestBytes, kTestTag, kTagBytes) == 0;
  text[1][kTestBytes / 2] ^= 1;
  backend.Open(items, kMessages);
  for (size_t i = 0; i < kMessages; i++) {
    good &= items[i].good == (i != 1) && (i == 1 || memcmp(text[i], kTestText, kTestBytes) == 0);
  }
  backend.ClearKey(0);
  return good;
}

std::vector<const char*> AeadBackendNames() {
  std::vector<const char*> names;
  for (const NamedBackend& b : Backends()) names.push_back(b.name);
  return names;
}

AeadBackendChoice MakeAeadBackend(const char* name, int keySlots) {
  AeadBackendChoice last;
  last.reason = std::string("no AEAD backend is called ") + name;
  const bool any = strcmp(name, "auto") == 0;
  const bool anyNative = strcmp(name, "native") == 0;
  for (const NamedBackend& b : Backends()) {
    if (!any && strcmp(name, b.name) != 0 && !(anyNative && strncmp(b.name, "native-", 7) == 0)) continue;
    last = b.make(keySlots);
    if (last.backend && AeadSelfTest(*last.backend)) return last;
    if (!last.backend) continue;
    last.backend.reset();
    last.reason = std::string(b.name) + " failed its self-test on this machine; use another backend";
  }
  return last;
}

}  // namespace tuntap
