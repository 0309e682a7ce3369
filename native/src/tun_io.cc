// HOT PATH: packets between a device and batches. Opening and configuring are in tun.cc.
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

#include "tun.h"

namespace tuntap {
namespace {

constexpr size_t kVirtioHeaderBytes = sizeof(VirtioNetHeader);
// A read: virtio header, Ethernet header with a VLAN tag, the largest packet; in front, what aligns the packet to 16.
constexpr size_t kReadBytes = kVirtioHeaderBytes + 18 + kMaxSuperPacketBytes;
constexpr size_t kAlignPacket = 16 - kVirtioHeaderBytes;
// A packet that is not split: headroom in front, padding and tag behind.
constexpr size_t kPlainOverhead = kHeadroomBytes + (kPadToBytes - 1) + kTagBytes;

// After so many packets a batch is handed on: those that came first have waited long enough, and a burst of small ones
// should not overrun the buffers at the far end.
constexpr int kReadPackets = 384;

constexpr int kSingleSlots = 2048;  // one super-packet at any MSS above 32 bytes, for ReadPacket
constexpr int kSingleArenaBytes = int(kMaxSuperPacketBytes) + kSingleSlots * 160;

}  // namespace

// Reads one packet into the scratch unless one is held back there. Returns 0 or -errno.
int Tun::Fill(bool beforeBulk) {
  if (held_ > 0) return 0;
  if (scratch_ == nullptr) scratch_.reset(new uint8_t[kAlignPacket + kReadBytes]);
  const size_t skip = vnetHeader_ ? 0 : kVirtioHeaderBytes;
  for (;;) {
    const long n = queues_.Read(scratch_.get() + kAlignPacket + skip, kReadBytes - skip, beforeBulk);
    if (n < 0) return int(n);
    if (skip != 0) memset(scratch_.get() + kAlignPacket, 0, kVirtioHeaderBytes);
    held_ = size_t(n) + skip;
    if (held_ <= kVirtioHeaderBytes) {
      held_ = 0;
      stats_[kTunMalformed] += 1;
      continue;
    }
    stats_[kTunReads] += 1;
    stats_[kTunReadBytes] += double(held_ - kVirtioHeaderBytes);
    return 0;
  }
}

bool Tun::HasRoom(const Batch& batch) const {
  const int32_t* header = batch.header;
  const int packets = header[kCellPacketCount];
  const int runs = header[kCellRunCount];
  const int used = header[kCellArenaUsed];
  if (packets < 0 || packets >= batch.slots || runs < 0 || runs >= batch.runs || used < 0) return false;
  const int needSlots = offloads_.tcp || offloads_.udp ? kMaxSegments : 1;
  const int needBytes = needSlots > 1 ? kMaxSegmentArenaBytes : int(kMaxSuperPacketBytes + kPlainOverhead);
  // An empty batch is always offered: most reads are far smaller than the worst one.
  return packets == 0 || (batch.slots - packets >= needSlots && batch.arenaBytes - used >= needBytes);
}

// An Ethernet frame: nothing to split, one packet a run.
int Tun::AppendPlain(const uint8_t* packet, size_t length, Batch& batch) {
  int32_t* header = batch.header;
  const int slot = header[kCellPacketCount];
  const int run = header[kCellRunCount];
  const size_t used = size_t(header[kCellArenaUsed]);
  if (slot >= batch.slots || run >= batch.runs) return -ENOBUFS;
  if (used + length + kPlainOverhead > size_t(batch.arenaBytes)) return -ENOBUFS;
  memcpy(batch.arena + used + kHeadroomBytes, packet, length);
  batch.packetOffset[slot] = int32_t(used + kHeadroomBytes);
  batch.packetLength[slot] = int32_t(length);
  batch.packetStatus[slot] = 0;
  batch.packetCounter[slot] = 0;
  batch.runFirst[run] = slot;
  batch.runCount[run] = 1;
  batch.runKind[run] = kRunData;
  batch.runReceiver[run] = 0;
  batch.runCounter[run] = 0;
  batch.runKey[run] = kNoKey;
  batch.runEndpoint[run] = kNoEndpoint;
  batch.runTos[run] = 0;
  header[kCellPacketCount] = slot + 1;
  header[kCellRunCount] = run + 1;
  header[kCellArenaUsed] = int32_t(used + length + kPlainOverhead);
  return 1;
}

// Places the held packet. Returns packets appended, 0 if it was dropped and counted, -ENOBUFS if it stays held.
int Tun::Append(Batch& batch) {
  VirtioNetHeader header;
  memcpy(&header, scratch_.get() + kAlignPacket, sizeof header);
  const uint8_t* packet = scratch_.get() + kAlignPacket + kVirtioHeaderBytes;
  const size_t length = held_ - kVirtioHeaderBytes;
  const int packets = mode_ == TunMode::kTap ? AppendPlain(packet, length, batch)
                                             : SegmentSuperPacket(header, packet, length, batch);
  if (packets == -ENOBUFS && batch.header[kCellPacketCount] > 0) return packets;
  held_ = 0;
  if (packets < 0) {
    stats_[packets == -ENOBUFS ? kTunTooLarge : kTunMalformed] += 1;
    return 0;
  }
  stats_[kTunSegments] += packets;
  if (packets > 1) stats_[kTunSuperPackets] += 1;
  return packets;
}

int Tun::ReadBatch(Batch& batch) {
  int runs = 0;
  const int64_t enough = int64_t(batch.header[kCellPacketCount]) + kReadPackets;
  batch.header[kCellMore] = 1;
  queues_.Look();
  while (HasRoom(batch) && batch.header[kCellPacketCount] < enough) {
    const int error = Fill(true);
    if (error < 0) {
      batch.header[kCellMore] = queues_.BulkIsNext() ? 1 : 0;
      return runs > 0 ? runs : error;
    }
    const int packets = Append(batch);
    if (packets < 0) break;
    if (packets > 0) ++runs;
  }
  return runs > 0 ? runs : -ENOBUFS;
}

// Returns 0 or -errno.
int Tun::WritePieces(const CoalescedWrite& write, int fd) {
  const int skip = vnetHeader_ ? 0 : 1;
  ssize_t n;
  do {
    n = writev(fd, write.pieces + skip, write.pieceCount - skip);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return -errno;
  stats_[kTunWrites] += 1;
  stats_[kTunWriteBytes] += double(write.bytes - kVirtioHeaderBytes);
  stats_[kTunWrittenPackets] += write.packetCount;
  return 0;
}

// Returns packets delivered; the others have their status.
int Tun::WritePlanned(const CoalescedWrite& write, Batch& batch) {
  const int first = write.firstSlot;
  const int packets = write.packetCount;
  const int fd = queues_.fdOf(write.flow);
  const int error = WritePieces(write, fd);
  if (error == 0) {
    if (packets > 1) stats_[kTunCoalescedWrites] += 1;
    return packets;
  }
  // Linux 6.6.44 and its like refuse valid merged packets.
  const bool again = error == -EINVAL && packets > 1;
  if (again) stats_[kTunRetriedUncoalesced] += 1;
  int delivered = 0;
  for (int slot = first; slot >= 0; slot = coalescer_->NextSlot(slot)) {
    const int result = again ? WritePieces(coalescer_->WriteSlot(slot), fd) : error;
    if (result == 0) {
      ++delivered;
      continue;
    }
    batch.packetStatus[slot] = result;
    stats_[kTunWriteFailures] += 1;
  }
  return delivered;
}

int Tun::WriteFrames(Batch& batch) {
  int delivered = 0;
  for (int run = 0; run < batch.header[kCellRunCount] && run < batch.runs; ++run) {
    if (batch.runKind[run] != kRunData || batch.runKey[run] < 0) continue;
    const int64_t end = int64_t(batch.runFirst[run]) + batch.runCount[run];
    for (int64_t slot = batch.runFirst[run]; slot >= 0 && slot < end && slot < batch.slots; ++slot) {
      const int64_t offset = batch.packetOffset[slot];
      const int64_t length = batch.packetLength[slot];
      if (batch.packetStatus[slot] != 0 || length <= 0) continue;
      const int written = offset < 0 || offset + length > batch.arenaBytes
                              ? -EINVAL
                              : WritePacket(batch.arena + offset, size_t(length));
      if (written < 0) {
        batch.packetStatus[slot] = written;
        stats_[kTunWriteFailures] += 1;
      } else {
        ++delivered;
      }
    }
  }
  return delivered;
}

int Tun::WriteBatch(Batch& batch) {
  if (mode_ == TunMode::kTap) return WriteFrames(batch);
  if (plannedSlots_ < batch.slots) {
    coalescer_.reset(new Coalescer(batch.slots));
    plannedSlots_ = batch.slots;
  }
  const int writes = coalescer_->Plan(batch, offloads_);
  if (writes < 0) return writes;
  int delivered = 0;
  for (int i = 0; i < writes; ++i) delivered += WritePlanned(coalescer_->Write(i), batch);
  return delivered;
}

int Tun::ReadPacket(uint8_t* into, size_t capacity) {
  if (singleMemory_.empty()) {
    singleMemory_.resize(MakeLayout(kSingleSlots, 1, 0, kSingleArenaBytes).totalBytes);
    single_ = MakeBatch(singleMemory_.data(), kSingleSlots, 1, 0, kSingleArenaBytes);
  }
  while (singleNext_ >= single_.header[kCellPacketCount]) {
    const int error = Fill(false);
    if (error < 0) return error;
    for (const HeaderCell cell : {kCellPacketCount, kCellRunCount, kCellArenaUsed}) single_.header[cell] = 0;
    singleNext_ = 0;
    Append(single_);
  }
  const int slot = singleNext_++;
  const size_t length = size_t(single_.packetLength[slot]);
  if (length > capacity) return -EMSGSIZE;
  memcpy(into, single_.arena + single_.packetOffset[slot], length);
  return int(length);
}

int Tun::WritePacket(const uint8_t* packet, size_t length) {
  VirtioNetHeader header = {};
  // writev takes no const: it only reads.
  const iovec pieces[2] = {{&header, sizeof header}, {const_cast<uint8_t*>(packet), length}};
  const int skip = vnetHeader_ ? 0 : 1;
  ssize_t n;
  do {
    n = writev(fd(), pieces + skip, 2 - skip);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return -errno;
  stats_[kTunWrites] += 1;
  stats_[kTunWriteBytes] += double(length);
  stats_[kTunWrittenPackets] += 1;
  return int(length);
}

}  // namespace tuntap
