// Fuzzes the addon's trust boundary: a batch whose every cell holds whatever the input says, offered to all that takes a
// batch. JavaScript writes those cells, so a bug there may write anything; it must not become a step outside of memory.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstring>

#include "aead.h"
#include "coalesce.h"
#include "udp.h"
// after udp.h, which it needs
#include "fake_kernel.h"
#include "fuzz_driver.h"
#include "raw_batch.h"
#include "segment.h"
#include "tun.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr int kKeySlots = 4;

std::vector<std::unique_ptr<Aead>> MakeAeads() {
  std::vector<std::unique_ptr<Aead>> aeads;
  for (const char* name : AeadBackendNames()) {
    AeadBackendChoice choice = MakeAeadBackend(name, kKeySlots + 1);
    if (!choice.backend) continue;
    aeads.push_back(std::make_unique<Aead>(std::move(choice.backend), kKeySlots));
    const uint8_t key[kKeyBytes] = {1, 2, 3};
    EXPECT(aeads.back()->SetKey(0, key) == 0 && aeads.back()->SetKey(2, key) == 0);
  }
  return aeads;
}

// A number that is small, at an edge, or anything.
int32_t ReadCell(InputReader& in, int32_t around) {
  constexpr int32_t kEdges[] = {INT32_MIN, INT32_MIN + 1, -65536, -16, -1, INT32_MAX, INT32_MAX - 15, 65535, 1 << 30};
  const uint8_t kind = in.U8();
  if (kind < 120) return kind % 24;
  if (kind < 160) return int32_t(in.Below(size_t(around) + 1));
  if (kind < 200) return around - 20 + kind % 40;
  return kind < 240 ? kEdges[kind % 9] : int32_t(in.U32());
}

double ReadNumber(InputReader& in) {
  const double edges[] = {0, -1, 0.5, 9007199254740991.0, 9007199254740992.0, 1e300, -1e300, NAN, INFINITY, -INFINITY};
  const uint8_t kind = in.U8();
  return kind < 128 ? kind : edges[kind % 10];
}

void FillCells(InputReader& in, Batch& b) {
  const int32_t arounds[kHeaderCells] = {b.slots, b.runs, b.arenaBytes, b.endpointRows, 1420, 1};
  for (int cell = 0; cell < kHeaderCells; cell++) b.header[cell] = ReadCell(in, arounds[cell]);
  for (int slot = 0; slot < b.slots; slot++) {
    b.packetOffset[slot] = ReadCell(in, b.arenaBytes);
    b.packetLength[slot] = ReadCell(in, b.arenaBytes);
    b.packetStatus[slot] = in.Below(4) == 3 ? ReadCell(in, 0) : 0;
    b.packetCounter[slot] = ReadNumber(in);
  }
  for (int run = 0; run < b.runs; run++) {
    b.runFirst[run] = ReadCell(in, b.slots);
    b.runCount[run] = ReadCell(in, b.slots);
    b.runKind[run] = in.Below(8) == 7 ? ReadCell(in, 6) : kRunData + in.Below(2);
    b.runKey[run] = ReadCell(in, kKeySlots);
    b.runReceiver[run] = uint32_t(ReadCell(in, 0));
    b.runEndpoint[run] = ReadCell(in, b.endpointRows);
    b.runTos[run] = ReadCell(in, 255);
    b.runCounter[run] = ReadNumber(in);
  }
}

// Records of both families, and of none.
std::vector<EndpointRecord> ReadTable(InputReader& in) {
  std::vector<EndpointRecord> table(in.Below(8));
  for (EndpointRecord& record : table) {
    const Bytes bytes = in.Take(12);
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<uint8_t*>(&record));
    record.family = uint16_t(bytes.empty() || bytes[0] % 4 != 0 ? AF_INET : bytes[0]);
    record.sourceIfindex = in.Flag() ? in.U8() : 0;
    record.gsoRefusedUntilMs = in.Flag() ? in.U32() : 0;
  }
  return table;
}

void SendHostile(InputReader& in, Batch& batch) {
  static FakeSocket socket(AF_INET);
  std::vector<EndpointRecord> table = ReadTable(in);
  const int errors[] = {EINVAL, EMSGSIZE, EIO, EAGAIN, ENOBUFS, ENETUNREACH, EPERM};
  fakeKernel.verdict = [&] {
    const uint8_t at = in.U8();
    return at < 7 ? errors[at] : 0;
  };
  socket.socket->SetEndpoints(table.data(), int(table.size()));
  const double before = socket.stats[kUdpSendDatagrams];
  fakeKernel.datagramsSent = 0;
  const int sent = socket.socket->SendBatch(batch);
  EXPECT(double(sent) == fakeKernel.datagramsSent && double(sent) == socket.stats[kUdpSendDatagrams] - before);
  socket.socket->SetEndpoints(nullptr, 0);
}

void ReceiveHostile(InputReader& in, Batch& batch) {
  static FakeSocket socket(AF_INET6);
  fakeKernel.receive = [&](mmsghdr& m) {
    if (in.left() == 0) return false;
    m.msg_len = unsigned(std::min<size_t>(m.msg_hdr.msg_iov->iov_len, in.U16()));
    memset(m.msg_hdr.msg_iov->iov_base, in.U8(), m.msg_len);
    memset(m.msg_hdr.msg_name, 0, m.msg_hdr.msg_namelen);
    m.msg_hdr.msg_controllen = 0;
    m.msg_hdr.msg_flags = 0;
    return true;
  };
  socket.socket->ReceiveBatch(batch);
}

// A device of which every packet is read as a super-packet, and which takes what is written.
void UseDevice(InputReader& in, Batch& batch, bool tap, bool write) {
  int ends[2];
  if (!EXPECT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) == 0)) return;
  double stats[kTunStatCount] = {};
  fakeKernel.tunFlags = short((tap ? IFF_TAP : IFF_TUN) | IFF_VNET_HDR);
  TunOptions options = {};
  options.fd = ends[0];
  options.queues = 1;
  std::unique_ptr<Tun> tun;
  EXPECT(!Tun::Open(options, stats, tun).failed());
  const Bytes frame = in.Take(200);
  EXPECT(send(ends[1], frame.data(), frame.size(), 0) == ssize_t(frame.size()));
  if (write) {
    tun->WriteBatch(batch);
  } else {
    tun->ReadBatch(batch);
  }
  close(ends[1]);
}

void PlanAll(InputReader& in, Batch& batch) {
  Coalescer coalescer(std::max(0, batch.slots - int(in.Below(8) == 7)));
  const int writes = coalescer.Plan(batch, {in.Flag(), in.Flag()});
  for (int i = 0; i < writes; i++) {
    const CoalescedWrite& write = coalescer.Write(i);
    size_t bytes = 0;
    for (int piece = 0; piece < write.pieceCount; piece++) {
      ReadAll(write.pieces[piece].iov_base, write.pieces[piece].iov_len);
      bytes += write.pieces[piece].iov_len;
    }
    EXPECT(bytes == write.bytes && write.pieceCount <= kMaxWritePieces);
    const int first = write.firstSlot;
    for (int slot = first; slot >= 0; slot = coalescer.NextSlot(slot)) {
      const CoalescedWrite& single = coalescer.WriteSlot(slot);
      ReadAll(single.pieces[1].iov_base, single.pieces[1].iov_len);
    }
  }
}

void SegmentInto(InputReader& in, Batch& batch) {
  VirtioNetHeader header = {};
  const Bytes bytes = in.Take(sizeof header);
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<uint8_t*>(&header));
  const Bytes packet = in.Take(400);
  SegmentSuperPacket(header, packet.data(), packet.size(), batch);
}

}  // namespace

Bytes tuntap::test::MakeInput(Random& random) {
  Bytes input = RandomBytes(random, 200 + Below(random, 600));
  // Mostly small numbers, so that the whole of a batch is not refused for one of them.
  for (uint8_t& byte : input) byte = OneIn(random, 12) ? byte : uint8_t(byte % 160);
  return input;
}

void tuntap::test::CheckInput(const uint8_t* data, size_t size) {
  static const std::vector<std::unique_ptr<Aead>> aeads = MakeAeads();
  InputReader in(data, size);
  const size_t operation = in.Below(10);
  const bool large = in.Below(8) == 7;
  RawBatch memory(1 + int(in.Below(24)), 1 + int(in.Below(12)), int(in.Below(4)),
                  large ? 2 * kReceiveStretchBytes : 64 + int(in.Below(2000)));
  Batch& batch = memory.batch;
  FillCells(in, batch);
  const Bytes arena = in.Take(in.Below(300));
  for (int i = 0; !arena.empty() && i < batch.arenaBytes; i++) batch.arena[i] = arena[size_t(i) % arena.size()];
  Aead& aead = *aeads[in.Below(aeads.size())];
  switch (operation) {
    case 0: aead.Seal(batch); break;
    case 1: aead.Open(batch); break;
    case 2: aead.Seal(batch), aead.Open(batch); break;
    case 3: PlanAll(in, batch); break;
    case 4: SegmentInto(in, batch); break;
    case 5: SendHostile(in, batch); break;
    case 6: ReceiveHostile(in, batch); break;
    case 7: UseDevice(in, batch, false, false); break;
    case 8: UseDevice(in, batch, in.Flag(), true); break;
    default: UseDevice(in, batch, true, false); break;
  }
  fakeKernel.verdict = [] { return 0; };
  fakeKernel.receive = [](mmsghdr&) { return false; };
}
