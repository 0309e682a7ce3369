// Fuzzes a device's reads and writes: whatever stands behind a virtio header on the descriptor, read as a batch, packet by
// packet and as a frame, and what was read in a batch written again. A UNIX datagram socket is the device.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstring>

#include "udp.h"
// after udp.h, which it needs
#include "fake_kernel.h"
#include "fuzz_driver.h"
#include "gso_reference.h"
#include "raw_batch.h"
#include "tun.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr int kSlots = 300;

struct Device {
  explicit Device(short flags) {
    int ends[2];
    EXPECT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) == 0);
    far = ends[1];
    fakeKernel.tunFlags = flags;
    TunOptions options = {};
    options.fd = ends[0];
    options.queues = 1;
    EXPECT(!Tun::Open(options, stats.get(), tun).failed());
  }
  ~Device() { close(far); }

  int far = -1;
  std::unique_ptr<double[]> stats{new double[kTunStatCount]()};
  std::unique_ptr<Tun> tun;
};

// Packets and runs are whole and lie in the arena.
void CheckBatch(const Batch& b) {
  int next = 0;
  for (int run = 0; run < b.header[kCellRunCount]; run++) {
    EXPECT(b.runFirst[run] == next && b.runCount[run] > 0 && b.runKind[run] == kRunData && b.runKey[run] == kNoKey);
    next += b.runCount[run];
  }
  EXPECT(next == b.header[kCellPacketCount] && next <= b.slots);
  for (int slot = 0; slot < std::min(next, b.slots); slot++) {
    const int64_t offset = b.packetOffset[slot];
    const int64_t length = b.packetLength[slot];
    EXPECT(offset >= int64_t(kHeadroomBytes) && length > 0 && offset + length <= b.header[kCellArenaUsed]);
  }
  EXPECT(b.header[kCellArenaUsed] <= b.arenaBytes);
}

// Every packet of the batch goes to the device again, in as many writes as the device takes.
void WriteBack(Device& device, Batch& batch) {
  for (int run = 0; run < batch.header[kCellRunCount]; run++) batch.runKey[run] = 0;
  const int delivered = device.tun->WriteBatch(batch);
  int refused = 0;
  for (int slot = 0; slot < batch.header[kCellPacketCount]; slot++) refused += batch.packetStatus[slot] != 0;
  EXPECT(delivered >= 0 && delivered + refused == batch.header[kCellPacketCount]);
  uint8_t written[2048];
  while (recv(device.far, written, sizeof written, MSG_TRUNC) >= 0) continue;
}

void ReadBatches(Device& device, int arenaBytes) {
  for (int i = 0; i < 16; i++) {
    RawBatch memory(kSlots, kSlots, 0, arenaBytes);
    memory.batch.header[kCellPadLimit] = 1420;
    const int runs = device.tun->ReadBatch(memory.batch);
    EXPECT(runs > 0 ? runs == memory.batch.header[kCellRunCount] : runs == -EAGAIN || runs == -ENOBUFS);
    CheckBatch(memory.batch);
    if (runs > 0) WriteBack(device, memory.batch);
    if (runs == -EAGAIN) return;
  }
}

void ReadPackets(Device& device, size_t capacity) {
  const std::unique_ptr<uint8_t[]> into(new uint8_t[capacity]);
  for (int i = 0; i < 5000; i++) {
    const int n = device.tun->ReadPacket(into.get(), capacity);
    EXPECT(n > 0 ? size_t(n) <= capacity : n == -EAGAIN || n == -EMSGSIZE);
    if (n == -EAGAIN) return;
  }
}

void ReadFrames(Device& device) {
  static const std::unique_ptr<uint8_t[]> into(new uint8_t[kFrameBytesMax]);
  EXPECT(device.tun->ReadFrame(into.get(), kFrameBytesMax - 1) == -ENOBUFS);
  for (int i = 0; i < 16; i++) {
    const int n = device.tun->ReadFrame(into.get(), kFrameBytesMax);
    if (n == -EAGAIN) return;
    EXPECT(n > 0 && size_t(n) <= kFrameBytesMax);
  }
}

}  // namespace

// Input: how it is read, then frames behind a length (2 bytes), the last 2 bytes of a header not counted.
Bytes tuntap::test::MakeInput(Random& random) {
  Bytes input = {uint8_t(random()), uint8_t(random())};
  for (size_t n = 1 + Below(random, 4); n > 0; n--) {
    PacketSpec spec = RandomFlow(random);
    spec.payload = RandomBytes(random, Below(random, 900));
    const SuperPacketBytes super = BuildSuper(spec, uint16_t(1 + Below(random, 400)));
    const auto* header = reinterpret_cast<const uint8_t*>(&super.header);
    Bytes frame(header, header + sizeof super.header);
    if (OneIn(random, 4)) std::fill(frame.begin(), frame.end(), uint8_t(0));
    AppendAll(frame, super.packet);
    if (OneIn(random, 2)) Mutate(random, frame);
    Append16(input, uint32_t(frame.size()));
    AppendAll(input, frame);
  }
  return input;
}

void tuntap::test::CheckInput(const uint8_t* data, size_t size) {
  InputReader in(data, size);
  const uint8_t how = in.U8();
  const short modes[] = {IFF_TUN | IFF_VNET_HDR, IFF_TUN, IFF_TAP | IFF_VNET_HDR, IFF_TAP};
  Device device(modes[how & 3]);
  const size_t capacity = 1 + 64 * in.Below(256);
  for (int frames = 0; in.left() > 0 && frames < 8; frames++) {
    Bytes frame = in.Take(in.U16());
    // A super-packet of the largest size is told by its start.
    if (in.left() == 0 && (how & 64) != 0) frame.resize(65535 + 10);
    EXPECT(send(device.far, frame.data(), frame.size(), 0) == ssize_t(frame.size()));
  }
  switch (how >> 2 & 3) {
    case 0: ReadPackets(device, capacity); break;
    case 1: ReadFrames(device); break;
    default: ReadBatches(device, int(capacity) * 10); break;
  }
}
