// A batch in memory of exactly its size, zeroed, so that AddressSanitizer sees a step outside.
#pragma once

#include <memory>

#include "layout.h"

namespace tuntap::test {

struct RawBatch {
  RawBatch(int slots, int runs, int endpoints, int arenaBytes)
      : memory(new uint64_t[Words(MakeLayout(size_t(slots), size_t(runs), size_t(endpoints), size_t(arenaBytes)))]()),
        batch(MakeBatch(reinterpret_cast<uint8_t*>(memory.get()), slots, runs, endpoints, arenaBytes)) {}

  void Clear() {
    for (const HeaderCell cell : {kCellPacketCount, kCellRunCount, kCellArenaUsed, kCellEndpointCount}) {
      batch.header[cell] = 0;
    }
  }

  static size_t Words(const Layout& layout) { return (layout.totalBytes + 7) / 8; }

  std::unique_ptr<uint64_t[]> memory;
  Batch batch;
};

}  // namespace tuntap::test
