// The AEAD by the libcrypto of the running process. One cipher context a key slot stays initialised with its key, so
// that a packet costs an IV, one update and the tag. Source: EVP_EncryptInit(3).

#include <errno.h>

#include "aead.h"
#include "libcrypto.h"

namespace tuntap {

namespace {

class OpensslBackend final : public AeadBackend {
 public:
  OpensslBackend(const Libcrypto& crypto, int keySlots) : crypto_(crypto), contexts_(size_t(keySlots), nullptr) {}

  // Freeing a context wipes the key schedule in it.
  ~OpensslBackend() override {
    for (evp_cipher_ctx_st* context : contexts_) crypto_.cipherContextFree(context);
  }

  const char* name() const override { return "openssl"; }

  int SetKey(int slot, const uint8_t* key) override {
    ClearKey(slot);
    evp_cipher_ctx_st* context = crypto_.cipherContextNew();
    if (context == nullptr) return -ENOMEM;
    if (crypto_.cipherInit(context, crypto_.chacha20Poly1305(), nullptr, key, nullptr, 1) != 1) {
      crypto_.cipherContextFree(context);
      crypto_.errorClear();
      return -ENOMEM;
    }
    contexts_[size_t(slot)] = context;
    return 0;
  }

  void ClearKey(int slot) override {
    crypto_.cipherContextFree(contexts_[size_t(slot)]);
    contexts_[size_t(slot)] = nullptr;
  }

  int Seal(AeadItem* items, size_t count) override {
    for (size_t i = 0; i < count; i++) {
      if (!SealOne(items[i])) {
        crypto_.errorClear();
        return -EIO;
      }
    }
    return 0;
  }

  void Open(AeadItem* items, size_t count) override {
    bool allGood = true;
    for (size_t i = 0; i < count; i++) {
      items[i].good = OpenOne(items[i]);
      allGood &= items[i].good;
    }
    // A refused tag may leave a record in the thread's error queue, where Node would find it.
    if (!allGood) crypto_.errorClear();
  }

 private:
  bool SealOne(const AeadItem& item) {
    evp_cipher_ctx_st* context = contexts_[size_t(item.key)];
    uint8_t* tag = item.text + item.length;
    int n = 0;
    return crypto_.cipherInit(context, nullptr, nullptr, nullptr, item.nonce, 1) == 1 && Text(context, item) &&
           crypto_.cipherFinal(context, tag, &n) == 1 &&
           crypto_.cipherControl(context, kEvpCtrlAeadGetTag, int(kTagBytes), tag) == 1;
  }

  bool OpenOne(const AeadItem& item) {
    evp_cipher_ctx_st* context = contexts_[size_t(item.key)];
    uint8_t* tag = item.text + item.length;
    int n = 0;
    return crypto_.cipherInit(context, nullptr, nullptr, nullptr, item.nonce, 0) == 1 &&
           crypto_.cipherControl(context, kEvpCtrlAeadSetTag, int(kTagBytes), tag) == 1 && Text(context, item) &&
           crypto_.cipherFinal(context, tag, &n) == 1;
  }

  bool Text(evp_cipher_ctx_st* context, const AeadItem& item) {
    int n = 0;
    if (item.aadLength > 0 && crypto_.cipherUpdate(context, nullptr, &n, item.aad, int(item.aadLength)) != 1) {
      return false;
    }
    return item.length == 0 || crypto_.cipherUpdate(context, item.text, &n, item.text, int(item.length)) == 1;
  }

  Libcrypto crypto_;
  std::vector<evp_cipher_ctx_st*> contexts_;
};

}  // namespace

AeadBackendChoice MakeOpensslBackend(int keySlots) {
  AeadBackendChoice choice;
  Libcrypto crypto{};
  if (!FindLibcrypto(crypto, choice.reason)) return choice;
  choice.backend = std::make_unique<OpensslBackend>(crypto, keySlots);
  return choice;
}

}  // namespace tuntap
