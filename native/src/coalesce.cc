// See coalesce.h. A group is one future write; groups stand in the order of their first packets. Only open groups are
// in the flow table: a group that may take no more packets leaves it, so a later packet of the flow begins a new group
// behind it, and the order inside a flow holds whatever else happens.
#include "coalesce.h"

#include <cerrno>
#include <cstring>

#include "checksum.h"
#include "inner_packet.h"
#include "ip_header.h"

namespace tuntap {

namespace {

constexpr size_t kMaxMergedBytes = 65535;        // inner IP length
constexpr size_t kMaxHeaderBytes = 40 + 60;      // IPv6 + TCP with all its options
constexpr int kSets = 16;                        // open-flow table: sets x ways
constexpr int kWays = 4;
constexpr int kNoGroup = -1;
constexpr int8_t kIdStepOpen = -1;               // IPv4 id: no second packet seen yet

struct Group {
  InnerPacket head;
  int32_t firstSlot;
  int32_t lastSlot;
  int32_t packetCount;
  uint32_t nextSequence;   // TCP
  uint32_t bytes;          // inner IP length once merged
  uint16_t segmentBytes;   // payload of the head: gso_size
  uint16_t lastId;         // IPv4
  int8_t idStep;           // IPv4 id from packet to packet: 0 or 1, or kIdStepOpen
  bool headVerified;
};

struct OpenFlow {
  uint32_t hash;
  int32_t group;
};

// How a packet that fits its flow's group leaves it.
enum class Fit { No, Open, Closed };

uint16_t PayloadBytes(const InnerPacket& packet) { return uint16_t(packet.length - packet.headerLength); }

const uint8_t* Transport(const InnerPacket& packet) { return packet.bytes + packet.transportAt; }

bool EndsGroup(const InnerPacket& packet) { return packet.tcp && (Transport(packet)[kTcpFlags] & kTcpPsh) != 0; }

// The id may rise by one from packet to packet, or stay if fragments are forbidden; whichever the second packet does.
bool Ip4Fits(const Group& group, const uint8_t* head, const uint8_t* ip, int8_t& idStep) {
  if (head[kIp4Tos] != ip[kIp4Tos] || head[kIp4Ttl] != ip[kIp4Ttl]) return false;
  if (LoadWord(head + kIp4Fragment) != LoadWord(ip + kIp4Fragment)) return false;
  const uint16_t step = uint16_t(LoadBig16(ip + kIp4Id) - group.lastId);
  if (step > 1 || (group.idStep != kIdStepOpen && group.idStep != step)) return false;
  idStep = int8_t(step);
  return step == 1 || (LoadBig16(ip + kIp4Fragment) & kIp4DontFragment) != 0;
}

// Version, traffic class with ECN, flow label; hop limit.
bool Ip6Fits(const uint8_t* head, const uint8_t* ip) {
  return memcmp(head, ip, 4) == 0 && head[kIp6HopLimit] == ip[kIp6HopLimit];
}

// Everything but sequence, PSH and checksum is equal, and the sequence goes on where the group ends.
bool TcpFits(const Group& group, const uint8_t* head, const uint8_t* tcp, size_t headerBytes) {
  if (LoadBig32(tcp + kTcpSequence) != group.nextSequence) return false;
  if (memcmp(head + kTcpAcknowledgement, tcp + kTcpAcknowledgement, 5) != 0) return false;  // and the data offset
  if (((head[kTcpFlags] ^ tcp[kTcpFlags]) & ~kTcpPsh) != 0) return false;
  if (LoadWord(head + kTcpWindow) != LoadWord(tcp + kTcpWindow)) return false;
  return memcmp(head + kTcpUrgent, tcp + kTcpUrgent, headerBytes - kTcpUrgent) == 0;  // and the options
}

Fit Fits(const Group& group, const InnerPacket& packet, int8_t& idStep) {
  const InnerPacket& head = group.head;
  const uint16_t payload = PayloadBytes(packet);
  if (payload > group.segmentBytes) return Fit::No;
  if (group.bytes + payload > kMaxMergedBytes) return Fit::No;
  if (head.version4 ? !Ip4Fits(group, head.bytes, packet.bytes, idStep) : !Ip6Fits(head.bytes, packet.bytes)) {
    return Fit::No;
  }
  if (packet.tcp && !TcpFits(group, Transport(head), Transport(packet), packet.headerLength - packet.transportAt)) {
    return Fit::No;
  }
  const bool full = group.packetCount + 1 == (packet.tcp ? kMaxTcpMerge : kMaxUdpMerge);
  return payload < group.segmentBytes || full || EndsGroup(packet) ? Fit::Closed : Fit::Open;
}

}  // namespace

struct Coalescer::State {
  State(int slotCount) : slots(slotCount), groups(new Group[size_t(slotCount)]), next(new int32_t[size_t(slotCount)]) {}

  void Reset(Batch& b, const CoalesceOptions& o) {
    batch = &b;
    options = o;
    groupCount = 0;
    plannedSlots = 0;
    for (auto& flow : flows) flow.group = kNoGroup;
  }

  OpenFlow* FindOpen(const InnerPacket& packet, uint32_t hash);
  void OpenGroup(uint32_t hash, int group);
  void CloseAddresses(const InnerPacket& packet);
  int AddGroup(const InnerPacket& packet, int slot);
  bool Append(OpenFlow& flow, const InnerPacket& packet, int slot);
  void Add(int slot);
  bool AddRun(int run);
  void BuildPlain(int slot);
  void BuildMerged(const Group& group);

  const int slots;
  const std::unique_ptr<Group[]> groups;
  const std::unique_ptr<int32_t[]> next;  // slot -> next slot of its group, or -1
  Batch* batch = nullptr;
  CoalesceOptions options{};
  int groupCount = 0;
  int plannedSlots = 0;  // every slot of the runs so far is below this, so no slot is planned twice
  unsigned evict = 0;
  OpenFlow flows[kSets * kWays];

  CoalescedWrite write{};
  iovec pieces[kMaxWritePieces];
  uint8_t header[kMaxHeaderBytes];
};

OpenFlow* Coalescer::State::FindOpen(const InnerPacket& packet, uint32_t hash) {
  OpenFlow* set = flows + (hash % kSets) * kWays;
  for (int way = 0; way < kWays; way++) {
    OpenFlow& flow = set[way];
    if (flow.group != kNoGroup && flow.hash == hash && SameFlow(groups[flow.group].head, packet)) return &flow;
  }
  return nullptr;
}

void Coalescer::State::OpenGroup(uint32_t hash, int group) {
  OpenFlow* set = flows + (hash % kSets) * kWays;
  for (int way = 0; way < kWays; way++) {
    if (set[way].group != kNoGroup) continue;
    set[way] = {hash, group};
    return;
  }
  set[evict++ % kWays] = {hash, group};  // the group that stood here is thereby closed
}

void Coalescer::State::CloseAddresses(const InnerPacket& packet) {
  for (auto& flow : flows) {
    if (flow.group != kNoGroup && SameAddresses(groups[flow.group].head, packet)) flow.group = kNoGroup;
  }
}

int Coalescer::State::AddGroup(const InnerPacket& packet, int slot) {
  Group& group = groups[groupCount];
  group.head = packet;
  group.firstSlot = slot;
  group.lastSlot = slot;
  group.packetCount = 1;
  next[slot] = -1;
  return groupCount++;
}

// Puts the packet into the group of `flow` if it belongs there. The head is verified only now: a packet that stays
// alone is the kernel's to verify.
bool Coalescer::State::Append(OpenFlow& flow, const InnerPacket& packet, int slot) {
  Group& group = groups[flow.group];
  int8_t idStep = kIdStepOpen;
  const Fit fit = Fits(group, packet, idStep);
  if (fit == Fit::No) return false;
  if (!group.headVerified && !TransportChecksumGood(group.head)) return false;
  group.headVerified = true;
  if (!TransportChecksumGood(packet)) return false;

  next[group.lastSlot] = slot;
  next[slot] = -1;
  group.lastSlot = slot;
  group.packetCount++;
  group.bytes += PayloadBytes(packet);
  group.nextSequence += PayloadBytes(packet);
  group.idStep = idStep;
  if (packet.version4) group.lastId = LoadBig16(packet.bytes + kIp4Id);
  if (fit == Fit::Closed) flow.group = kNoGroup;
  return true;
}

void Coalescer::State::Add(int slot) {
  const InnerPacket packet = ReadInnerPacket(batch->arena + batch->packetOffset[slot],
                                             uint32_t(batch->packetLength[slot]));
  if (packet.packetClass == PacketClass::Opaque || packet.packetClass == PacketClass::Address) {
    if (packet.packetClass == PacketClass::Address) CloseAddresses(packet);
    AddGroup(packet, slot);
    return;
  }
  if (packet.tcp ? !options.tcp : !options.udp) {
    AddGroup(packet, slot);
    return;
  }
  const uint32_t hash = HashFlow(packet);
  const bool mergeable = packet.packetClass == PacketClass::Mergeable;
  OpenFlow* flow = FindOpen(packet, hash);
  if (flow != nullptr) {
    if (mergeable && Append(*flow, packet, slot)) return;
    flow->group = kNoGroup;
  }
  const int index = AddGroup(packet, slot);
  if (!mergeable || EndsGroup(packet)) return;
  Group& group = groups[index];
  group.bytes = packet.length;
  group.segmentBytes = PayloadBytes(packet);
  group.nextSequence = packet.tcp ? LoadBig32(Transport(packet) + kTcpSequence) + group.segmentBytes : 0;
  group.lastId = packet.version4 ? LoadBig16(packet.bytes + kIp4Id) : 0;
  group.idStep = kIdStepOpen;
  group.headVerified = false;
  OpenGroup(hash, index);
}

// False if the run does not lie behind the one before it and inside the batch.
bool Coalescer::State::AddRun(int run) {
  const int first = batch->runFirst[run];
  const int count = batch->runCount[run];
  if (first < plannedSlots || count < 0 || first > batch->slots - count) return false;
  plannedSlots = first + count;
  for (int slot = first; slot < first + count; slot++) {
    const int offset = batch->packetOffset[slot];
    const int length = batch->packetLength[slot];
    if (batch->packetStatus[slot] != 0 || length <= 0) continue;
    if (offset < 0 || offset > batch->arenaBytes - length) {
      batch->packetStatus[slot] = -EINVAL;
      continue;
    }
    Add(slot);
  }
  return true;
}

void Coalescer::State::BuildPlain(int slot) {
  write.header = {};
  pieces[0] = {&write.header, sizeof write.header};
  pieces[1] = {batch->arena + batch->packetOffset[slot], size_t(batch->packetLength[slot])};
  write.pieces = pieces;
  write.pieceCount = 2;
  write.firstSlot = slot;
  write.packetCount = 1;
  write.bytes = sizeof write.header + pieces[1].iov_len;
}

void Coalescer::State::BuildMerged(const Group& group) {
  const InnerPacket& head = group.head;
  const size_t transportBytes = group.bytes - head.transportAt;
  memcpy(header, head.bytes, head.headerLength);
  uint8_t* transport = header + head.transportAt;
  const uint8_t type = !head.tcp ? kGsoUdp : head.version4 ? kGsoTcp4 : kGsoTcp6;
  const uint16_t field = head.tcp ? kTcpChecksum : kUdpChecksum;
  write.header = {kVirtioNeedsChecksum, type, head.headerLength, group.segmentBytes, head.transportAt, field};

  if (head.version4) {
    StoreBig16(header + kIp4TotalLength, uint16_t(group.bytes));
    StoreWord(header + kIp4Checksum, 0);
    StoreWord(header + kIp4Checksum, uint16_t(~FoldSum(SumFixed<kIp4HeaderBytes>(header))));
  } else {
    StoreBig16(header + kIp6PayloadLength, uint16_t(transportBytes));
  }
  if (head.tcp) {
    const uint8_t* last = batch->arena + batch->packetOffset[group.lastSlot];
    transport[kTcpFlags] |= last[head.transportAt + kTcpFlags] & kTcpPsh;
  } else {
    StoreBig16(transport + kUdpLength, uint16_t(transportBytes));
  }
  StoreWord(transport + field, FoldSum(PseudoHeaderSum(head, transportBytes)));

  pieces[0] = {&write.header, sizeof write.header};
  pieces[1] = {header, head.headerLength};
  int piece = 2;
  for (int slot = group.firstSlot; slot >= 0; slot = next[slot], piece++) {
    const size_t payload = size_t(batch->packetLength[slot]) - head.headerLength;
    pieces[piece] = {batch->arena + batch->packetOffset[slot] + head.headerLength, payload};
  }
  write.pieces = pieces;
  write.pieceCount = piece;
  write.firstSlot = group.firstSlot;
  write.packetCount = group.packetCount;
  write.bytes = sizeof write.header + group.bytes;
}

Coalescer::Coalescer(int slots) : state_(new State(slots > 0 ? slots : 0)) {}
Coalescer::~Coalescer() = default;

int Coalescer::Plan(Batch& batch, const CoalesceOptions& options) {
  if (batch.slots > state_->slots) return -EINVAL;
  state_->Reset(batch, options);
  const int runs = batch.header[kCellRunCount] < batch.runs ? batch.header[kCellRunCount] : batch.runs;
  for (int run = 0; run < runs; run++) {
    if (batch.runKind[run] != kRunData || batch.runKey[run] < 0) continue;
    if (!state_->AddRun(run)) return -EINVAL;
  }
  return state_->groupCount;
}

const CoalescedWrite& Coalescer::Write(int index) {
  const Group& group = state_->groups[index];
  if (group.packetCount == 1) {
    state_->BuildPlain(group.firstSlot);
  } else {
    state_->BuildMerged(group);
  }
  state_->write.flow = HashQueue(group.head);
  return state_->write;
}

const CoalescedWrite& Coalescer::WriteSlot(int slot) {
  state_->BuildPlain(slot);
  return state_->write;
}

int Coalescer::NextSlot(int slot) const { return state_->next[slot]; }

}  // namespace tuntap
