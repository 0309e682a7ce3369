// Batched ChaCha20-Poly1305 (RFC 8439): key slots, the walk over a packet batch, and what a backend must do.
// It must not know peers, sessions or replay: a run names a key slot and a counter, nothing more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "layout.h"

namespace tuntap {

constexpr size_t kKeyBytes = 32;
constexpr size_t kNonceBytes = 12;
constexpr size_t kDataHeaderBytes = 16;                             // type, receiver, counter: [W] 5.4.6
constexpr size_t kDataOverheadBytes = kDataHeaderBytes + kTagBytes;  // datagram bytes that are not plaintext
constexpr uint32_t kDataMessageType = 4;

/// One message to seal or open in place. The tag stands directly behind the text.
struct AeadItem {
  uint8_t* text;
  const uint8_t* aad;  // data packets have none
  uint32_t length;     // bytes of text, without the tag
  uint32_t aadLength;
  int32_t key;         // key slot, set
  int32_t slot;        // packet slot of the batch, for the caller
  uint8_t nonce[kNonceBytes];
  bool good;           // out, Open: the tag verified. When it did not, the text is undefined and the caller wipes it
};

/// An implementation of the AEAD. It owns its copies of the keys and wipes them. Calls for one object are never
/// concurrent. Seal and Open allocate nothing. Items of one call never overlap.
class AeadBackend {
 public:
  virtual ~AeadBackend() = default;
  virtual const char* name() const = 0;
  /// Replaces the slot's key. @return 0, or -errno. May allocate.
  virtual int SetKey(int slot, const uint8_t* key) = 0;
  /// Wipes the slot's key; a slot without one is left alone.
  virtual void ClearKey(int slot) = 0;
  /// Encrypts each item's text in place and writes its tag. @return 0, or -errno: nothing of this call may be sent.
  virtual int Seal(AeadItem* items, size_t count) = 0;
  /// Compares each item's tag in constant time, sets `good`, and decrypts the good ones in place.
  virtual void Open(AeadItem* items, size_t count) = 0;
};

/// A backend, or the reason why this machine has none of that kind (what to install, as a sentence).
struct AeadBackendChoice {
  std::unique_ptr<AeadBackend> backend;
  std::string reason;
};

AeadBackendChoice MakeAvx512Backend(int keySlots);
AeadBackendChoice MakeAvx2Backend(int keySlots);
AeadBackendChoice MakeIpsecMbBackend(int keySlots);
AeadBackendChoice MakeOpensslBackend(int keySlots);

/// Seals and opens what RFC 8439 2.8.2 prints, with key slot 0. @return whether everything was as printed.
bool AeadSelfTest(AeadBackend& backend);

/// Names that MakeAeadBackend knows, fastest on this CPU first, whether this machine has them or not.
std::vector<const char*> AeadBackendNames();
/// @param name  one of AeadBackendNames(); "auto": the first that this machine has; "native": the first of native-...
/// A backend that fails its self-test counts as one that this machine lacks.
AeadBackendChoice MakeAeadBackend(const char* name, int keySlots);

/// Key slots plus a backend. Thread: the one that made it.
class Aead {
 public:
  /// @param backend  made for keySlots + 1 slots: the last one serves SealOnce and OpenOnce.
  Aead(std::unique_ptr<AeadBackend> backend, int keySlots);
  ~Aead();
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;

  const char* backendName() const { return backend_->name(); }
  int keySlots() const { return keySlots_; }

  /// @param key  kKeyBytes. @return 0, -EINVAL for a slot out of range, -ENOMEM.
  int SetKey(int slot, const uint8_t* key);
  /// Wipes a key. @return 0, or -EINVAL for a slot out of range.
  int ClearKey(int slot);

  /// Seals every packet of the batch's Data runs that have a key: header, padding, text, tag, all in place.
  /// Afterwards packetOffset and packetLength describe the datagram. Packets with a status are passed by; one that
  /// cannot be sealed gets -ENOKEY (no key in the slot), -EOVERFLOW (counter), -EINVAL (outside the arena).
  /// @return packets sealed, or -errno if the backend failed. Allocates nothing. Source: [W] 5.4.6.
  int Seal(Batch& batch);

  /// Opens every packet of the batch's Data runs that have a key and no status. A good one becomes its plaintext
  /// (offset + 16, length - 32); any other gets a status: -EBADMSG (its bytes are wiped), -ENOKEY, -EINVAL.
  /// The nonce comes from the datagram itself, not from packetCounter. @return packets opened. Allocates nothing.
  int Open(Batch& batch);

  /// Seals one message with any nonce and associated data, by the same code as a batch. For tests and vectors.
  /// @param item  key and slot are ignored. @return 0, or -errno.
  int SealOnce(const uint8_t* key, AeadItem item);
  /// @return 0, or -EBADMSG with the text wiped.
  int OpenOnce(const uint8_t* key, AeadItem item);

 private:
  static constexpr size_t kItems = 128;

  bool HasKey(int slot) const { return slot >= 0 && slot < keySlots_ && hasKey_[size_t(slot)] != 0; }
  /// @param slot  of the run, inside the batch.
  int PrepareSeal(Batch& batch, int run, int slot, double counter, AeadItem& item) const;
  int PrepareOpen(Batch& batch, int run, int slot, AeadItem& item) const;
  int FlushSeal(Batch& batch, size_t count);
  int FlushOpen(Batch& batch, size_t count);

  std::unique_ptr<AeadBackend> backend_;
  int keySlots_;
  std::vector<uint8_t> hasKey_;
  AeadItem items_[kItems];
};

}  // namespace tuntap
