#include "aead.h"

#include <errno.h>
#include <string.h>

#include <utility>

namespace tuntap {

namespace {

constexpr double kCounterLimit = 9007199254740992.0;  // 2^53: where a double stops counting

void StoreLe32(uint8_t* p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = uint8_t(v >> (8 * i));
}

void StoreLe64(uint8_t* p, uint64_t v) {
  for (int i = 0; i < 8; i++) p[i] = uint8_t(v >> (8 * i));
}

int Clamp(int n, int limit) { return n < 0 ? 0 : n > limit ? limit : n; }

// The run's slots, cut to what the batch has.
void RunRange(const Batch& b, int run, int& first, int& end) {
  const int packets = Clamp(b.header[kCellPacketCount], b.slots);
  first = Clamp(b.runFirst[run], packets);
  end = first + Clamp(b.runCount[run], packets - first);
}

}  // namespace

Aead::Aead(std::unique_ptr<AeadBackend> backend, int keySlots)
    : backend_(std::move(backend)), keySlots_(keySlots), hasKey_(size_t(keySlots), 0), items_{} {}

Aead::~Aead() = default;

int Aead::SetKey(int slot, const uint8_t* key) {
  if (slot < 0 || slot >= keySlots_) return -EINVAL;
  const int result = backend_->SetKey(slot, key);
  hasKey_[size_t(slot)] = result == 0;
  return result;
}

int Aead::ClearKey(int slot) {
  if (slot < 0 || slot >= keySlots_) return -EINVAL;
  hasKey_[size_t(slot)] = 0;
  backend_->ClearKey(slot);
  return 0;
}

int Aead::PrepareSeal(Batch& b, int run, int slot, double counter, AeadItem& item) const {
  if (!HasKey(b.runKey[run])) return -ENOKEY;
  if (!(counter >= 0 && counter < kCounterLimit)) return -EOVERFLOW;
  const int64_t offset = b.packetOffset[slot];
  const int64_t length = b.packetLength[slot];
  if (length < 0 || length > b.arenaBytes || offset < int64_t(kDataHeaderBytes)) return -EINVAL;
  const int64_t padded = int64_t(PaddedLength(size_t(length), size_t(Clamp(b.header[kCellPadLimit], b.arenaBytes))));
  if (offset + padded + int64_t(kTagBytes) > b.arenaBytes) return -EINVAL;

  uint8_t* text = b.arena + offset;
  StoreLe32(text - 16, kDataMessageType);
  StoreLe32(text - 12, b.runReceiver[run]);
  StoreLe64(text - 8, uint64_t(counter));
  memset(text + length, 0, size_t(padded - length));
  item.text = text;
  item.length = uint32_t(padded);
  item.key = b.runKey[run];
  item.slot = slot;
  memcpy(item.nonce + 4, text - 8, 8);  // the first four bytes are zero, always
  return 0;
}

int Aead::FlushSeal(Batch& b, size_t count) {
  const int result = backend_->Seal(items_, count);
  for (size_t i = 0; i < count; i++) {
    const int slot = items_[i].slot;
    if (result != 0) {
      b.packetStatus[slot] = result;
      continue;
    }
    b.packetOffset[slot] -= int32_t(kDataHeaderBytes);
    b.packetLength[slot] = int32_t(items_[i].length + kDataOverheadBytes);
  }
  return result;
}

int Aead::Seal(Batch& b) {
  size_t pending = 0;
  int done = 0;
  int failure = 0;
  const int runs = Clamp(b.header[kCellRunCount], b.runs);
  for (int run = 0; run < runs; run++) {
    if (b.runKind[run] != kRunData || b.runKey[run] < 0) continue;
    int first, end;
    RunRange(b, run, first, end);
    for (int slot = first; slot < end; slot++) {
      if (b.packetStatus[slot] != 0) continue;
      const int refused = PrepareSeal(b, run, slot, b.runCounter[run] + (slot - first), items_[pending]);
      if (refused != 0) {
        b.packetStatus[slot] = refused;
        continue;
      }
      done++;
      if (++pending < kItems) continue;
      const int result = FlushSeal(b, pending);
      if (result != 0) failure = result;
      pending = 0;
    }
  }
  if (pending > 0) {
    const int result = FlushSeal(b, pending);
    if (result != 0) failure = result;
  }
  return failure != 0 ? failure : done;
}

int Aead::PrepareOpen(Batch& b, int run, int slot, AeadItem& item) const {
  if (!HasKey(b.runKey[run])) return -ENOKEY;
  const int64_t offset = b.packetOffset[slot];
  const int64_t length = b.packetLength[slot];
  if (length < int64_t(kDataOverheadBytes) || offset < 0 || offset + length > b.arenaBytes) return -EINVAL;
  uint8_t* text = b.arena + offset + kDataHeaderBytes;
  item.text = text;
  item.length = uint32_t(length - int64_t(kDataOverheadBytes));
  item.key = b.runKey[run];
  item.slot = slot;
  memcpy(item.nonce + 4, text - 8, 8);
  return 0;
}

int Aead::FlushOpen(Batch& b, size_t count) {
  backend_->Open(items_, count);
  int good = 0;
  for (size_t i = 0; i < count; i++) {
    const AeadItem& item = items_[i];
    if (item.good) {
      b.packetOffset[item.slot] += int32_t(kDataHeaderBytes);
      b.packetLength[item.slot] = int32_t(item.length);
      good++;
    } else {
      explicit_bzero(item.text, item.length);
      b.packetStatus[item.slot] = -EBADMSG;
    }
  }
  return good;
}

int Aead::Open(Batch& b) {
  size_t pending = 0;
  int done = 0;
  const int runs = Clamp(b.header[kCellRunCount], b.runs);
  for (int run = 0; run < runs; run++) {
    if (b.runKind[run] != kRunData || b.runKey[run] < 0) continue;
    int first, end;
    RunRange(b, run, first, end);
    for (int slot = first; slot < end; slot++) {
      if (b.packetStatus[slot] != 0) continue;
      const int refused = PrepareOpen(b, run, slot, items_[pending]);
      if (refused != 0) {
        b.packetStatus[slot] = refused;
        continue;
      }
      if (++pending < kItems) continue;
      done += FlushOpen(b, pending);
      pending = 0;
    }
  }
  return pending > 0 ? done + FlushOpen(b, pending) : done;
}

int Aead::SealOnce(const uint8_t* key, AeadItem item) {
  const int set = backend_->SetKey(keySlots_, key);
  if (set != 0) return set;
  item.key = keySlots_;
  const int result = backend_->Seal(&item, 1);
  backend_->ClearKey(keySlots_);
  return result;
}

int Aead::OpenOnce(const uint8_t* key, AeadItem item) {
  const int set = backend_->SetKey(keySlots_, key);
  if (set != 0) return set;
  item.key = keySlots_;
  backend_->Open(&item, 1);
  backend_->ClearKey(keySlots_);
  if (item.good) return 0;
  explicit_bzero(item.text, item.length);
  return -EBADMSG;
}

}  // namespace tuntap
