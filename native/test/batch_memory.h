// A batch in memory of its own, for the tests. What no packet occupies is poisoned for AddressSanitizer when asked, so
// that a read past a packet's end is caught although the arena goes on.
#pragma once

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <memory>

#include "layout.h"
#include "packets.h"

namespace tuntap::test {

class BatchMemory {
  static constexpr uint8_t kUntouched = 0xa5;

 public:
  BatchMemory(int slots, int runs, int arenaBytes, int padLimit = 1420)
      : bytes_(MakeLayout(size_t(slots), size_t(runs), 0, size_t(arenaBytes)).totalBytes),
        memory_(new uint64_t[(bytes_ + 7) / 8]()),
        batch(MakeBatch(reinterpret_cast<uint8_t*>(memory_.get()), slots, runs, 0, arenaBytes)) {
    batch.header[kCellPadLimit] = padLimit;
    std::fill_n(batch.arena, arenaBytes, kUntouched);
  }
  ~BatchMemory() { ASAN_UNPOISON_MEMORY_REGION(batch.arena, size_t(batch.arenaBytes)); }
  BatchMemory(const BatchMemory&) = delete;
  BatchMemory& operator=(const BatchMemory&) = delete;

  void BeginRun(int key = 0, int kind = kRunData) {
    const int run = batch.header[kCellRunCount]++;
    batch.runFirst[run] = batch.header[kCellPacketCount];
    batch.runCount[run] = 0;
    batch.runKind[run] = kind;
    batch.runKey[run] = key;
  }

  /// Adds a packet to the last run, a gap before it.
  int Add(const Bytes& packet) {
    const int slot = batch.header[kCellPacketCount]++;
    const int at = batch.header[kCellArenaUsed] + 16;
    std::copy(packet.begin(), packet.end(), batch.arena + at);
    batch.packetOffset[slot] = at;
    batch.packetLength[slot] = int32_t(packet.size());
    batch.packetStatus[slot] = 0;
    batch.header[kCellArenaUsed] = at + int(packet.size());
    batch.runCount[batch.header[kCellRunCount] - 1]++;
    return slot;
  }

  /// From here on only the bytes of packets may be touched.
  void PoisonGaps() {
    ASAN_POISON_MEMORY_REGION(batch.arena, size_t(batch.arenaBytes));
    for (int slot = 0; slot < batch.header[kCellPacketCount]; slot++) {
      ASAN_UNPOISON_MEMORY_REGION(batch.arena + batch.packetOffset[slot], size_t(batch.packetLength[slot]));
    }
  }

  Bytes Packet(int slot) const {
    const uint8_t* at = batch.arena + batch.packetOffset[slot];
    return Bytes(at, at + batch.packetLength[slot]);
  }

  /// Arena bytes [from, to) are as the constructor left them.
  bool Untouched(size_t from, size_t to) const {
    return std::all_of(batch.arena + from, batch.arena + to, [](uint8_t v) { return v == kUntouched; });
  }


 private:
  size_t bytes_;
  std::unique_ptr<uint64_t[]> memory_;

 public:
  Batch batch;
};

}  // namespace tuntap::test
