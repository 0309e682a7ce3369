// The AEAD by this package's own vector code, which works across the packets of a batch: many ChaCha20 blocks and
// several Poly1305 messages at a time, so that small packets and the ends of large ones leave no lane idle.
// Source: RFC 8439 2.8.

#include "aead.h"

#if defined(__x86_64__)

#include <errno.h>
#include <string.h>

#include <new>
#include <utility>

#include "chacha20.h"
#include "key_table.h"
#include "poly1305.h"
#include "tag.h"
#include "x86_vectors.h"

namespace tuntap {

namespace {

constexpr size_t kWindow = 32;  // messages worked on together
constexpr size_t kBlock = kChaChaBlockBytes;

// The vector code for one kind of CPU.
struct Code {
  void (*chacha20)(const ChaChaWork* work, size_t count, ChaChaScratch& scratch);
  void (*poly1305)(const PolyMessage* messages, size_t count, uint8_t (*tags)[kTagBytes]);
  size_t blocksAtOnce;
};

constexpr Code kAvx512{ChaCha20Avx512, Poly1305Avx512, kChaChaLanesAvx512};
constexpr Code kAvx2{ChaCha20Avx2, Poly1305Avx2, kChaChaLanesAvx2};

// Everything secret that a call leaves behind, in one place to wipe.
struct Scratch {
  ChaChaScratch cipher;
  alignas(64) uint8_t keyBlocks[kWindow][kBlock];  // keystream block 0: the Poly1305 key
  alignas(64) uint8_t tails[kWindow][kBlock];      // keystream of a last block that is not whole
  alignas(64) uint8_t stream[kChaChaLanesAvx512][kBlock];  // keystream of the texts of few packets
  uint8_t tags[kWindow][kTagBytes];
};
static_assert(kWindow >= kChaChaLanesAvx512);

size_t AtMost(size_t n, size_t limit) { return n < limit ? n : limit; }

class NativeBackend final : public AeadBackend {
 public:
  NativeBackend(const Code& code, const char* name, std::unique_ptr<KeyTable> keys,
                std::unique_ptr<SecretMemory> scratch)
      : code_(code), name_(name), keys_(std::move(keys)), memory_(std::move(scratch)),
        scratch_(reinterpret_cast<Scratch*>(memory_->data())) {}

  const char* name() const override { return name_; }

  int SetKey(int slot, const uint8_t* key) override {
    keys_->Set(slot, key);
    return 0;
  }

  void ClearKey(int slot) override { keys_->Clear(slot); }

  int Seal(AeadItem* items, size_t count) override {
    for (size_t at = 0; at < count; at += kWindow) SealWindow(items + at, AtMost(count - at, kWindow));
    Wipe(count);
    return 0;
  }

  void Open(AeadItem* items, size_t count) override {
    if (FitsOnce(items, count)) {
      OpenOnce(items, count);
    } else {
      for (size_t at = 0; at < count; at += kWindow) OpenWindow(items + at, AtMost(count - at, kWindow));
    }
    Wipe(count);
  }

 private:
  static uint32_t TextBlocks(const AeadItem& item) { return uint32_t((item.length + kBlock - 1) / kBlock); }

  // Whether all blocks of all messages, with those of the Poly1305 keys, run at once.
  bool FitsOnce(const AeadItem* items, size_t count) const {
    size_t blocks = 0;
    for (size_t i = 0; i < count && blocks <= code_.blocksAtOnce; i++) blocks += 1 + TextBlocks(items[i]);
    return blocks <= code_.blocksAtOnce;
  }

  // Few packets: one pass makes the keystream for the keys and the texts, which are decrypted once they verified.
  // `stream` is all zeros here: every use ends with a wipe.
  void OpenOnce(AeadItem* items, size_t count) {
    ChaChaWork work[kChaChaLanesAvx512];
    uint8_t* stream = scratch_->stream[0];
    ClearTargets(count);
    for (size_t i = 0; i < count; i++) {
      work[i] = WorkOf(items[i], i);
      work[i].text = stream;
      work[i].wholeEnd = work[i].end;
      stream += TextBlocks(items[i]) * kBlock;
    }
    if (count > 0) code_.chacha20(work, count, scratch_->cipher);
    Verify(items, count);
    for (size_t i = 0; i < count; i++) {
      if (items[i].good) XorBytes(items[i].text, work[i].text, items[i].length);
    }
    explicit_bzero(scratch_->stream, size_t(stream - scratch_->stream[0]));
  }

  void OpenWindow(AeadItem* items, size_t n) {
    ChaChaWork work[kWindow];
    ClearTargets(n);
    for (size_t i = 0; i < n; i++) {
      work[i] = WorkOf(items[i], i);
      work[i].end = work[i].wholeEnd = 1;
    }
    code_.chacha20(work, n, scratch_->cipher);
    Verify(items, n);
    size_t good = 0;
    for (size_t i = 0; i < n; i++) {
      if (!items[i].good || items[i].length == 0) continue;
      work[good] = WorkOf(items[i], i);
      work[good++].first = 1;
    }
    if (good > 0) code_.chacha20(work, good, scratch_->cipher);
  }

  void SealWindow(AeadItem* items, size_t n) {
    ChaChaWork work[kWindow];
    ClearTargets(n);
    for (size_t i = 0; i < n; i++) work[i] = WorkOf(items[i], i);
    code_.chacha20(work, n, scratch_->cipher);
    Authenticate(items, n);
    for (size_t i = 0; i < n; i++) memcpy(items[i].text + items[i].length, scratch_->tags[i], kTagBytes);
  }

  void Verify(AeadItem* items, size_t n) {
    Authenticate(items, n);
    for (size_t i = 0; i < n; i++) items[i].good = TagsEqual(scratch_->tags[i], items[i].text + items[i].length);
  }

  void ClearTargets(size_t n) {
    memset(scratch_->keyBlocks, 0, n * kBlock);
    memset(scratch_->tails, 0, n * kBlock);
  }

  // Of a call of `count` messages.
  void Wipe(size_t count) {
    const size_t n = AtMost(count, kWindow);
    explicit_bzero(&scratch_->cipher, sizeof(scratch_->cipher));
    explicit_bzero(scratch_->keyBlocks, n * kBlock);
    explicit_bzero(scratch_->tails, n * kBlock);
    explicit_bzero(scratch_->tags, sizeof(scratch_->tags));
  }

  ChaChaWork WorkOf(const AeadItem& item, size_t i) {
    ChaChaWork work{};
    work.key = keys_->Get(item.key);
    work.nonce = item.nonce;
    work.wholeEnd = uint32_t(1 + item.length / kBlock);
    work.tailBytes = item.length % kBlock;
    work.end = 1 + TextBlocks(item);
    work.text = item.text;
    work.keyBlock = scratch_->keyBlocks[i];
    work.tail = scratch_->tails[i];
    return work;
  }

  void Authenticate(const AeadItem* items, size_t n) {
    PolyMessage messages[kWindow];
    for (size_t i = 0; i < n; i++) {
      messages[i] = {scratch_->keyBlocks[i], items[i].aad, items[i].text, items[i].aadLength, items[i].length};
    }
    code_.poly1305(messages, n, scratch_->tags);
  }

  Code code_;
  const char* name_;
  std::unique_ptr<KeyTable> keys_;
  std::unique_ptr<SecretMemory> memory_;
  Scratch* scratch_;
};

AeadBackendChoice Make(const Code& code, const char* name, int keySlots) {
  AeadBackendChoice choice;
  std::unique_ptr<KeyTable> keys = KeyTable::Make(keySlots);
  std::unique_ptr<SecretMemory> scratch = SecretMemory::Make(sizeof(Scratch));
  if (!keys || !scratch) {
    choice.reason = "out of memory";
    return choice;
  }
  choice.backend = std::make_unique<NativeBackend>(code, name, std::move(keys), std::move(scratch));
  return choice;
}

}  // namespace

AeadBackendChoice MakeAvx512Backend(int keySlots) {
  if (CpuHasAvx512()) return Make(kAvx512, "native-avx512", keySlots);
  AeadBackendChoice choice;
  choice.reason = "this CPU lacks AVX-512 with IFMA and VBMI2; use native-avx2, ipsec-mb or openssl";
  return choice;
}

AeadBackendChoice MakeAvx2Backend(int keySlots) {
  if (CpuHasAvx2()) return Make(kAvx2, "native-avx2", keySlots);
  AeadBackendChoice choice;
  choice.reason = "this CPU lacks AVX2; use ipsec-mb or openssl";
  return choice;
}

}  // namespace tuntap

#else

namespace tuntap {

AeadBackendChoice MakeAvx512Backend(int) {
  AeadBackendChoice choice;
  choice.reason = "it runs on x86-64 only; use openssl";
  return choice;
}

AeadBackendChoice MakeAvx2Backend(int keySlots) { return MakeAvx512Backend(keySlots); }

}  // namespace tuntap

#endif
