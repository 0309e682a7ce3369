// The AEAD by the libcrypto of the running process, by one of two ways. By EVP, one cipher context a key slot stays initialised
// with its key, so that a packet costs an IV, one update and the tag. Where the process exports ChaCha20 and Poly1305 themselves
// they are put together here, as RFC 8439 2.8 says: EVP around them costs a packet as much as they do.
// Sources: EVP_EncryptInit(3); RFC 8439 2.4, 2.5, 2.8.

#include <errno.h>
#include <string.h>

#include <utility>

#include "aead.h"
#include "key_table.h"
#include "libcrypto.h"
#include "secret_memory.h"
#include "tag.h"

namespace tuntap {

namespace {

class EvpBackend final : public AeadBackend {
 public:
  EvpBackend(const Libcrypto& crypto, int keySlots) : crypto_(crypto), contexts_(size_t(keySlots), nullptr) {}

  // Freeing a context wipes the key schedule in it.
  ~EvpBackend() override {
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

constexpr size_t kBlockBytes = 64;
constexpr size_t kPolyKeyBytes = 32;

class HalvesBackend final : public AeadBackend {
 public:
  static std::unique_ptr<AeadBackend> Make(const Libcrypto& crypto, int keySlots) {
    std::unique_ptr<KeyTable> keys = KeyTable::Make(keySlots);
    std::unique_ptr<SecretMemory> scratch = SecretMemory::Make(kBlockBytes + crypto.polyBytes());
    if (keys == nullptr || scratch == nullptr) return nullptr;
    return std::unique_ptr<AeadBackend>(new HalvesBackend(crypto, std::move(keys), std::move(scratch)));
  }

  const char* name() const override { return "openssl"; }

  int SetKey(int slot, const uint8_t* key) override {
    keys_->Set(slot, key);
    return 0;
  }

  void ClearKey(int slot) override { keys_->Clear(slot); }

  int Seal(AeadItem* items, size_t count) override {
    for (size_t i = 0; i < count; i++) {
      const AeadItem& item = items[i];
      Crypt(item);
      Authenticate(item, item.text + item.length);
    }
    Forget();
    return 0;
  }

  void Open(AeadItem* items, size_t count) override {
    for (size_t i = 0; i < count; i++) {
      AeadItem& item = items[i];
      uint8_t tag[kTagBytes];
      Authenticate(item, tag);
      item.good = TagsEqual(tag, item.text + item.length);
      if (item.good) Crypt(item);
    }
    Forget();
  }

 private:
  struct Counter {
    uint32_t words[4];
  };

  HalvesBackend(const Libcrypto& crypto, std::unique_ptr<KeyTable> keys, std::unique_ptr<SecretMemory> scratch)
      : crypto_(crypto),
        keys_(std::move(keys)),
        scratch_(std::move(scratch)),
        block_(scratch_->data()),
        poly_(block_ + kBlockBytes) {}

  // Words in host order, which is theirs: this package is built for little-endian machines.
  static Counter CounterOf(const AeadItem& item, uint32_t block) {
    Counter counter = {{block, 0, 0, 0}};
    memcpy(&counter.words[1], item.nonce, kNonceBytes);
    return counter;
  }

  const uint32_t* KeyOf(const AeadItem& item) const {
    return reinterpret_cast<const uint32_t*>(keys_->Get(item.key));
  }

  void Crypt(const AeadItem& item) {
    crypto_.chacha20(item.text, item.text, item.length, KeyOf(item), CounterOf(item, 1).words);
  }

  void Authenticate(const AeadItem& item, uint8_t* tag) {
    memset(block_, 0, kPolyKeyBytes);
    crypto_.chacha20(block_, block_, kPolyKeyBytes, KeyOf(item), CounterOf(item, 0).words);
    crypto_.polyInit(poly_, block_);
    Padded(item.aad, item.aadLength);
    Padded(item.text, item.length);
    const uint64_t lengths[2] = {item.aadLength, item.length};
    crypto_.polyUpdate(poly_, reinterpret_cast<const uint8_t*>(lengths), sizeof lengths);
    crypto_.polyFinal(poly_, tag);
  }

  void Padded(const uint8_t* data, size_t length) {
    constexpr uint8_t kZeros[kPadToBytes] = {};
    if (length == 0) return;
    crypto_.polyUpdate(poly_, data, length);
    if (length % kPadToBytes != 0) crypto_.polyUpdate(poly_, kZeros, kPadToBytes - length % kPadToBytes);
  }

  void Forget() { explicit_bzero(block_, kBlockBytes + crypto_.polyBytes()); }

  Libcrypto crypto_;
  std::unique_ptr<KeyTable> keys_;
  std::unique_ptr<SecretMemory> scratch_;
  uint8_t* block_;  // of the key stream: the Poly1305 key
  uint8_t* poly_;   // state of Poly1305
};

// Whether both seal messages of these lengths alike, and open what the other sealed.
bool Agree(AeadBackend& a, AeadBackend& b) {
  constexpr uint32_t kLengths[] = {0, 1, 16, 63, 64, 255, 1424, 9001};
  std::vector<uint8_t> text[2];
  uint8_t key[kKeyBytes];
  for (size_t i = 0; i < kKeyBytes; i++) key[i] = uint8_t(3 * i + 1);
  if (a.SetKey(0, key) != 0 || b.SetKey(0, key) != 0) return false;
  bool alike = true;
  for (uint32_t length : kLengths) {
    AeadItem items[2] = {};
    for (int i = 0; i < 2; i++) {
      text[i].assign(length + kTagBytes, uint8_t(length));
      items[i] = AeadItem{text[i].data(), key, length, length % 20, 0, 0, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, false};
    }
    alike &= a.Seal(&items[0], 1) == 0 && b.Seal(&items[1], 1) == 0 && text[0] == text[1];
    b.Open(&items[0], 1);
    a.Open(&items[1], 1);
    alike &= items[0].good && items[1].good && text[0] == text[1];
  }
  a.ClearKey(0);
  b.ClearKey(0);
  return alike;
}

}  // namespace

AeadBackendChoice MakeOpensslBackend(int keySlots) {
  AeadBackendChoice choice;
  Libcrypto crypto{};
  if (!FindLibcrypto(crypto, choice.reason)) return choice;
  choice.backend = std::make_unique<EvpBackend>(crypto, keySlots);
  if (crypto.chacha20 == nullptr) return choice;
  std::unique_ptr<AeadBackend> halves = HalvesBackend::Make(crypto, keySlots);
  if (halves != nullptr && Agree(*halves, *choice.backend)) choice.backend = std::move(halves);
  return choice;
}

}  // namespace tuntap
