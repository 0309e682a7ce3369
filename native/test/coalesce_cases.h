// What the coalescing tests share: small streams, and the sizes of the writes they become.
#pragma once

#include <string>
#include <vector>

#include "expect.h"
#include "planned_writes.h"

namespace tuntap::test {

constexpr CoalesceOptions kBoth{true, true};

/// The sizes of the writes that one run of these packets becomes, e.g. "2 1".
inline std::string Plan(const std::vector<Bytes>& packets, CoalesceOptions options = kBoth) {
  BatchMemory m(int(packets.size()), 1, 1 << 20);
  m.BeginRun();
  for (const Bytes& packet : packets) m.Add(packet);
  std::string out;
  const std::vector<PlannedWrite> writes = PlanWrites(m, options);
  ExpectOrder(m, writes);
  for (const PlannedWrite& write : writes) {
    EXPECT(WhyWrong(m, write) == "");
    out += (out.empty() ? "" : " ") + std::to_string(write.slots.size());
  }
  return out;
}

/// The packet that follows `spec` in its flow.
inline PacketSpec Following(PacketSpec spec, size_t payload) {
  spec.sequence += uint32_t(spec.payload.size());
  spec.id++;
  spec.payload = Pattern(payload, spec.sequence);
  return spec;
}

inline PacketSpec First(bool version6, bool tcp, size_t payload = 100) {
  PacketSpec spec;
  spec.version6 = version6;
  spec.tcp = tcp;
  spec.payload = Pattern(payload, spec.sequence);
  if (tcp) spec.tcpOptions = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
  return spec;
}

}  // namespace tuntap::test
