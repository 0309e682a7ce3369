// Runs the Coalescer over a batch and holds every write against what a kernel accepts and makes of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "batch_memory.h"
#include "coalesce.h"
#include "expect.h"
#include "gso_reference.h"

namespace tuntap::test {

struct PlannedWrite {
  VirtioNetHeader header;
  Bytes packet;
  std::vector<int> slots;
  std::vector<Bytes> again;  // each slot by WriteSlot
};

inline Bytes Gather(const CoalescedWrite& write, VirtioNetHeader& header) {
  Bytes all;
  for (int i = 0; i < write.pieceCount; i++) {
    const uint8_t* at = static_cast<const uint8_t*>(write.pieces[i].iov_base);
    all.insert(all.end(), at, at + write.pieces[i].iov_len);
  }
  memcpy(&header, all.data(), sizeof header);
  if (write.bytes != all.size() || memcmp(&header, &write.header, sizeof header) != 0) return {};
  return Bytes(all.begin() + sizeof header, all.end());
}

/// Every write of the plan. Reads outside the packets are caught under AddressSanitizer.
inline std::vector<PlannedWrite> PlanWrites(BatchMemory& m, const CoalesceOptions& options) {
  m.PoisonGaps();
  Coalescer coalescer(m.batch.slots);
  const int count = coalescer.Plan(m.batch, options);
  std::vector<PlannedWrite> writes;
  for (int i = 0; i < count; i++) {
    const CoalescedWrite& write = coalescer.Write(i);
    PlannedWrite planned;
    planned.packet = Gather(write, planned.header);
    const int packetCount = write.packetCount;
    for (int slot = write.firstSlot; slot >= 0; slot = coalescer.NextSlot(slot)) planned.slots.push_back(slot);
    if (int(planned.slots.size()) != packetCount) planned.slots.clear();
    for (const int slot : planned.slots) {
      VirtioNetHeader header;
      planned.again.push_back(Gather(coalescer.WriteSlot(slot), header));
    }
    writes.push_back(planned);
  }
  return writes;
}

/// Two packets are the same but perhaps for the IPv4 id (and its checksum), which a fixed id does not survive.
inline bool SameButId(Bytes a, Bytes b) {
  if (a.size() != b.size() || a.empty()) return false;
  if (a[0] >> 4 != 4) return a == b;
  for (Bytes* packet : {&a, &b}) {
    if (((*packet)[6] & 0x40) == 0) continue;
    Put16(*packet, 4, 0);
    CompleteIp4Checksum(*packet);
  }
  return a == b;
}

/// Why this write is not what its slots hold; "" if it is. A merged write must be one that a kernel accepts, and that
/// its segmentation turns back into the very packets.
inline std::string WhyWrong(const BatchMemory& m, const PlannedWrite& write) {
  if (write.slots.empty()) return "slot list";
  for (size_t i = 0; i < write.slots.size(); i++) {
    if (write.again[i] != m.Packet(write.slots[i])) return "WriteSlot";
  }
  if (write.slots.size() == 1) {
    const VirtioNetHeader none{};
    if (memcmp(&write.header, &none, sizeof none) != 0) return "plain header";
    return write.packet == m.Packet(write.slots[0]) ? "" : "plain packet";
  }
  const std::string refused = WhyRefused(write.header, write.packet);
  if (!refused.empty()) return refused;
  const std::vector<Bytes> segments = ReferenceSegment(write.header, write.packet);
  if (segments.size() != write.slots.size()) return "segment count";
  for (size_t i = 0; i < segments.size(); i++) {
    if (!SameButId(segments[i], m.Packet(write.slots[i]))) return "segment " + std::to_string(i);
  }
  return "";
}

/// Addresses and ports of a packet that shows them, else empty. The order inside one key must hold.
inline Bytes FlowKey(const Bytes& packet) {
  const bool version6 = packet[0] >> 4 == 6;
  const size_t at = version6 ? 40 : 20;
  if (packet.size() < at + 8 || (!version6 && packet[0] != 0x45)) return {};
  if (!version6 && (Get16(packet, 6) & 0x3fff) != 0) return {};
  Bytes key = {uint8_t(packet[0] >> 4), packet[version6 ? 6 : 9]};
  key.insert(key.end(), packet.begin() + (version6 ? 8 : 12), packet.begin() + long(at) + 4);
  return key;
}

/// Every packet of the batch is in exactly one write, and no flow's packets change places.
inline void ExpectOrder(const BatchMemory& m, const std::vector<PlannedWrite>& writes) {
  std::map<Bytes, int> last;
  std::vector<bool> seen(size_t(m.batch.slots));
  int count = 0;
  for (const PlannedWrite& write : writes) {
    for (const int slot : write.slots) {
      EXPECT(!seen[size_t(slot)]);
      seen[size_t(slot)] = true;
      count++;
      const Bytes key = FlowKey(m.Packet(slot));
      if (key.empty()) continue;
      const auto found = last.find(key);
      EXPECT(found == last.end() || found->second < slot);
      last[key] = slot;
    }
  }
  EXPECT(count == m.batch.header[kCellPacketCount]);
}

}  // namespace tuntap::test
