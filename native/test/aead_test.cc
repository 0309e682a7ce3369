// Every AEAD backend of this machine against RFC 8439's vectors and against the plain reference: lengths, alignments,
// associated data, mixed keys, corrupted tags, counters at their limits. Wycheproof is in aead.test.ts.
#include "aead.h"

#include <cerrno>
#include <cmath>
#include <map>
#include <memory>

#include "aead_reference.h"
#include "expect.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr int kKeys = 3;

Bytes Hex(const char* text) {
  Bytes out;
  for (; text[0] != 0; text += 2) out.push_back(uint8_t(strtoul(std::string(text, 2).c_str(), nullptr, 16)));
  return out;
}

// A message at `shift` bytes into memory that ends with its tag, so that AddressSanitizer sees a step beyond.
struct Message {
  Message(const Bytes& content, size_t room, size_t shift) : bytes(shift + room), at(shift) {
    std::copy(content.begin(), content.end(), bytes.begin() + long(at));
  }
  uint8_t* data() { return bytes.data() + at; }
  Bytes Content(size_t n) const { return Bytes(bytes.begin() + long(at), bytes.begin() + long(at + n)); }

  Bytes bytes;
  size_t at;
};

AeadItem Item(Message& message, size_t length, const uint8_t* nonce, const Bytes& aad) {
  AeadItem item{};
  item.text = message.data();
  item.length = uint32_t(length);
  item.aad = aad.data();
  item.aadLength = uint32_t(aad.size());
  std::memcpy(item.nonce, nonce, kNonceBytes);
  return item;
}

// Seals to what is expected, opens that again, and refuses it with one bit changed.
void CheckOnce(Aead& aead, const Bytes& key, const Bytes& nonce, const Bytes& aad, const Bytes& text,
               const Bytes& expected, size_t shift) {
  Message message(text, text.size() + kTagBytes, shift);
  const AeadItem item = Item(message, text.size(), nonce.data(), aad);
  EXPECT(aead.SealOnce(key.data(), item) == 0);
  EXPECT(message.Content(expected.size()) == expected);
  EXPECT(std::all_of(message.bytes.begin(), message.bytes.begin() + long(shift), [](uint8_t b) { return b == 0; }));
  EXPECT(aead.OpenOnce(key.data(), item) == 0);
  EXPECT(message.Content(text.size()) == text);

  const size_t bit = (text.size() * 31 + shift * 7) % (expected.size() * 8);
  std::copy(expected.begin(), expected.end(), message.data());
  message.data()[bit / 8] ^= uint8_t(1 << bit % 8);
  EXPECT(aead.OpenOnce(key.data(), item) == -EBADMSG);
  EXPECT(message.Content(text.size()) == Bytes(text.size()));
}

void TestRfc8439(Aead& aead) {
  // 2.8.2
  const Bytes key = Hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const Bytes nonce = Hex("070000004041424344454647");
  const Bytes aad = Hex("50515253c0c1c2c3c4c5c6c7");
  const std::string sunscreen =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be "
      "it.";
  const Bytes sealed = Hex(
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b29"
      "05d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b"
      "61161ae10b594f09e26a7e902ecbd0600691");
  const Bytes text(sunscreen.begin(), sunscreen.end());
  EXPECT(ReferenceSeal(key.data(), nonce.data(), aad, text) == sealed);
  for (size_t shift = 0; shift < 64; shift++) CheckOnce(aead, key, nonce, aad, text, sealed, shift);
}

void TestReference() {
  // 2.5.2, one block short of a multiple of 16, so its last block is checked by 2.8.2 alone; 2.3.2 here.
  uint8_t block[64];
  const Bytes key = Hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  ReferenceBlock(key.data(), Hex("000000090000004a00000000").data(), 1, block);
  EXPECT(Bytes(block, block + 64) ==
         Hex("10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4ed2826446079faa0914c2d705d98b02a2b5129cd1"
             "de164eb9cbd083e8a2503c4e"));
}

// One length on: its own key, nonce, associated data and alignment.
void TestLengths(std::map<std::string, std::unique_ptr<Aead>>& aeads) {
  Random random(1);
  for (size_t n = 0; n <= 2000; n++) {
    const Bytes key = RandomBytes(random, 32), nonce = RandomBytes(random, 12);
    const Bytes aad = RandomBytes(random, n % 3 == 0 ? n % 200 : 0), text = RandomBytes(random, n);
    const Bytes expected = ReferenceSeal(key.data(), nonce.data(), aad, text);
    for (auto& [name, aead] : aeads) CheckOnce(*aead, key, nonce, aad, text, expected, n % 64);
  }
  for (size_t n : {4095, 4096, 8920, 8936, 16384, 34001, 65519, 65535}) {
    const Bytes key = RandomBytes(random, 32), nonce = RandomBytes(random, 12), text = RandomBytes(random, n);
    const Bytes expected = ReferenceSeal(key.data(), nonce.data(), {}, text);
    for (auto& [name, aead] : aeads) CheckOnce(*aead, key, nonce, {}, text, expected, n % 17);
  }
}

void TestAlignments(std::map<std::string, std::unique_ptr<Aead>>& aeads) {
  Random random(2);
  for (size_t n : {1, 15, 16, 63, 64, 65, 127, 500, 576}) {
    const Bytes key = RandomBytes(random, 32), nonce = RandomBytes(random, 12), text = RandomBytes(random, n);
    const Bytes expected = ReferenceSeal(key.data(), nonce.data(), {}, text);
    for (size_t shift = 0; shift < 64; shift++) {
      for (auto& [name, aead] : aeads) CheckOnce(*aead, key, nonce, {}, text, expected, shift);
    }
  }
}

// The memory of one batch and what its datagrams must be.
struct BatchCase {
  static constexpr int kSlots = 300, kRuns = 40, kArena = 700000;

  explicit BatchCase(int padLimit)
      : memory(MakeLayout(kSlots, kRuns, 0, kArena).totalBytes / 8 + 1),
        batch(MakeBatch(reinterpret_cast<uint8_t*>(memory.data()), kSlots, kRuns, 0, kArena)) {
    batch.header[kCellPadLimit] = padLimit;
    std::fill_n(batch.arena, kArena, uint8_t(0xa5));
  }

  void AddRun(int key, uint32_t receiver, double counter) {
    const int run = batch.header[kCellRunCount]++;
    batch.runFirst[run] = batch.header[kCellPacketCount];
    batch.runCount[run] = 0;
    batch.runKind[run] = kRunData;
    batch.runKey[run] = key;
    batch.runReceiver[run] = receiver;
    batch.runCounter[run] = counter;
  }

  // As a TUN read leaves it: the next packet's headroom starts where this one's tag ends.
  void AddPacket(const Bytes& packet, const std::vector<Bytes>& keys) {
    const int run = batch.header[kCellRunCount] - 1, slot = batch.header[kCellPacketCount]++;
    const int at = batch.header[kCellArenaUsed] + int(kHeadroomBytes);
    std::copy(packet.begin(), packet.end(), batch.arena + at);
    batch.packetOffset[slot] = at;
    batch.packetLength[slot] = int32_t(packet.size());
    const uint64_t counter = uint64_t(batch.runCounter[run]) + uint64_t(batch.runCount[run]++);
    Bytes padded = packet;
    padded.resize(PaddedLength(packet.size(), size_t(batch.header[kCellPadLimit])));
    batch.header[kCellArenaUsed] = at + int(padded.size() + kTagBytes);
    Bytes header = {4, 0, 0, 0};
    for (int i = 0; i < 4; i++) header.push_back(uint8_t(batch.runReceiver[run] >> (8 * i)));
    for (int i = 0; i < 8; i++) header.push_back(uint8_t(counter >> (8 * i)));
    Bytes nonce(4);
    nonce.insert(nonce.end(), header.begin() + 8, header.end());
    const Bytes sealed = ReferenceSeal(keys[size_t(batch.runKey[run])].data(), nonce.data(), {}, padded);
    header.insert(header.end(), sealed.begin(), sealed.end());
    datagrams.push_back(header);
    plaintexts.push_back(padded);
  }

  Bytes Packet(int slot) const {
    const uint8_t* at = batch.arena + batch.packetOffset[slot];
    return Bytes(at, at + batch.packetLength[slot]);
  }

  std::vector<uint64_t> memory;
  Batch batch;
  std::vector<Bytes> datagrams, plaintexts;
};

// Runs of one size or of many, counters at the limits of 32 bits and of a double.
BatchCase RandomBatch(Random& random, const std::vector<Bytes>& keys) {
  BatchCase c(random() % 2 ? 1420 : 1280 + int(random() % 100));
  const int runs = random() % 3 == 0 ? 1 : 1 + int(random() % 6);
  for (int run = 0; run < runs; run++) {
    const double counters[] = {0, double(random() % 1000), 4294967290, 4294967296, 9007199254740992 - 45, 1e15};
    c.AddRun(int(random() % kKeys), uint32_t(random()), counters[random() % 6]);
    const size_t limits[] = {0, 20, 64, 100, 600, 1420, 1500};
    const size_t limit = limits[random() % 7];
    const bool equal = random() % 2;
    const int count = 1 + int(random() % (random() % 3 == 0 ? 4 : 45));
    for (int i = 0; i < count; i++) {
      const bool shorter = !equal || i == count - 1;
      c.AddPacket(RandomBytes(random, shorter ? random() % (limit + 1) : limit), keys);
    }
  }
  return c;
}

void TestBatch(Aead& aead, Random& random, const std::vector<Bytes>& keys) {
  BatchCase c = RandomBatch(random, keys);
  Batch& b = c.batch;
  const int count = int(c.datagrams.size());
  EXPECT(aead.Seal(b) == count);
  for (int i = 0; i < count; i++) {
    EXPECT(b.packetStatus[i] == 0);
    EXPECT(c.Packet(i) == c.datagrams[size_t(i)]);
  }
  // A packet that something refused already stays as it is.
  const int passed = int(random() % uint64_t(count));
  b.packetStatus[passed] = 12;
  // Changes in the receiver index are not the AEAD's to see; anywhere behind it they are.
  std::map<int, bool> changed;
  for (int i = int(random() % 5); i > 0; i--) {
    const int slot = int(random() % uint64_t(count));
    if (slot == passed) continue;
    const int at = 8 + int(random() % uint64_t(b.packetLength[slot] - 8));
    b.arena[b.packetOffset[slot] + at] ^= uint8_t(1 << random() % 8);
    changed[slot] = c.Packet(slot) != c.datagrams[size_t(slot)];
  }
  const int refused = int(std::count_if(changed.begin(), changed.end(), [](auto& e) { return e.second; }));
  EXPECT(aead.Open(b) == count - refused - 1);
  for (int i = 0; i < count; i++) {
    const Bytes& plaintext = c.plaintexts[size_t(i)];
    if (i == passed) {
      EXPECT(b.packetStatus[i] == 12);
      EXPECT(c.Packet(i) == c.datagrams[size_t(i)]);
    } else if (changed[i]) {
      EXPECT(b.packetStatus[i] == -EBADMSG);
      EXPECT(std::all_of(b.arena + b.packetOffset[i] + 16, b.arena + b.packetOffset[i] + 16 + plaintext.size(),
                         [](uint8_t v) { return v == 0; }));
    } else {
      EXPECT(b.packetStatus[i] == 0);
      EXPECT(c.Packet(i) == plaintext);
    }
  }
}

// What Aead refuses by itself, whatever the backend.
void TestRefusals(Aead& aead) {
  const std::vector<Bytes> keys(kKeys, Bytes(32, 7));
  BatchCase c(1420);
  Batch& b = c.batch;
  const auto attempt = [&](bool seal, int offset, int length, double counter, int key) {
    b.header[kCellPacketCount] = b.header[kCellRunCount] = 0;
    c.AddRun(0, 1, 0);
    c.AddPacket(Bytes(64), keys);
    b.packetOffset[0] = offset;
    b.packetLength[0] = length;
    b.packetStatus[0] = 0;
    b.runCounter[0] = counter;
    b.runKey[0] = key;
    const int result = seal ? aead.Seal(b) : aead.Open(b);
    return result != 0 ? result : b.packetStatus[0];
  };
  EXPECT(attempt(true, 16, 64, 0, 0) == 1);
  EXPECT(attempt(true, 15, 64, 0, 0) == -EINVAL);
  EXPECT(attempt(true, -16, 64, 0, 0) == -EINVAL);
  EXPECT(attempt(true, 16, -1, 0, 0) == -EINVAL);
  EXPECT(attempt(true, BatchCase::kArena - 80, 64, 0, 0) == 1);
  EXPECT(attempt(true, BatchCase::kArena - 79, 64, 0, 0) == -EINVAL);
  EXPECT(attempt(true, BatchCase::kArena - 79, 49, 0, 0) == -EINVAL);
  EXPECT(attempt(true, 16, 0x7fffffff, 0, 0) == -EINVAL);
  EXPECT(attempt(true, 0x7fffffff, 64, 0, 0) == -EINVAL);
  EXPECT(attempt(true, 16, 64, -1, 0) == -EOVERFLOW);
  EXPECT(attempt(true, 16, 64, NAN, 0) == -EOVERFLOW);
  EXPECT(attempt(true, 16, 64, 9007199254740991, 0) == 1);
  EXPECT(attempt(true, 16, 64, 9007199254740992, 0) == -EOVERFLOW);
  EXPECT(attempt(true, 16, 64, 0, kKeys) == -ENOKEY);
  EXPECT(attempt(true, 16, 64, 0, 1 << 30) == -ENOKEY);
  EXPECT(attempt(true, 16, 64, 0, -5) == 0);
  EXPECT(attempt(false, 0, 31, 0, 0) == -EINVAL);
  EXPECT(attempt(false, -1, 64, 0, 0) == -EINVAL);
  EXPECT(attempt(false, BatchCase::kArena - 63, 64, 0, 0) == -EINVAL);
  EXPECT(attempt(false, BatchCase::kArena - 64, 64, 0, 0) == -EBADMSG);
  EXPECT(attempt(false, 0, 64, 0, kKeys) == -ENOKEY);
  // Counts beyond the batch are cut.
  b.header[kCellPacketCount] = b.header[kCellRunCount] = 1 << 30;
  std::fill_n(b.runFirst, BatchCase::kRuns, BatchCase::kSlots - 1);
  std::fill_n(b.runCount, BatchCase::kRuns, 1 << 30);
  std::fill_n(b.runKind, BatchCase::kRuns, int(kRunData));
  std::fill_n(b.runKey, BatchCase::kRuns, 0);
  b.packetStatus[BatchCase::kSlots - 1] = 1;
  EXPECT(aead.Seal(b) == 0);
  b.runFirst[0] = -7;
  b.runCount[0] = -7;
  EXPECT(aead.Open(b) == 0);
}

void TestKeys(Aead& aead) {
  const Bytes key(32, 7);
  EXPECT(aead.SetKey(-1, key.data()) == -EINVAL);
  EXPECT(aead.SetKey(kKeys, key.data()) == -EINVAL);
  EXPECT(aead.ClearKey(-1) == -EINVAL);
  EXPECT(aead.ClearKey(kKeys) == -EINVAL);
  BatchCase c(1420);
  const auto seal = [&] {
    c.batch.header[kCellPacketCount] = c.batch.header[kCellRunCount] = c.batch.header[kCellArenaUsed] = 0;
    c.batch.packetStatus[0] = 0;
    c.datagrams.clear();
    c.AddRun(0, 1, 0);
    c.AddPacket(Bytes(64), {key});
    return aead.Seal(c.batch);
  };
  EXPECT(aead.ClearKey(0) == 0);
  EXPECT(aead.ClearKey(0) == 0);
  EXPECT(seal() == 0 && c.batch.packetStatus[0] == -ENOKEY);
  EXPECT(aead.SetKey(0, Bytes(32, 8).data()) == 0);
  EXPECT(aead.SetKey(0, key.data()) == 0);
  EXPECT(seal() == 1 && c.Packet(0) == c.datagrams[0]);
}

// A backend whose answers go wrong in one place.
class BrokenBackend final : public AeadBackend {
 public:
  enum class Fault { kNone, kTag, kAccepts, kText, kSetKey, kSeal, kOtherKey };

  explicit BrokenBackend(Fault fault) : fault_(fault), inner_(MakeOpensslBackend(1).backend) {}
  const char* name() const override { return "broken"; }
  int SetKey(int slot, const uint8_t* key) override {
    Bytes copy(key, key + kKeyBytes);
    copy[31] ^= uint8_t(fault_ == Fault::kOtherKey);
    return fault_ == Fault::kSetKey ? -ENOMEM : inner_->SetKey(slot, copy.data());
  }
  void ClearKey(int slot) override { inner_->ClearKey(slot); }
  int Seal(AeadItem* items, size_t count) override {
    const int result = inner_->Seal(items, count);
    if (fault_ == Fault::kTag) items[count - 1].text[items[count - 1].length + 15] ^= 0x80;
    return fault_ == Fault::kSeal ? -EIO : result;
  }
  void Open(AeadItem* items, size_t count) override {
    inner_->Open(items, count);
    for (size_t i = 0; i < count; i++) items[i].good |= fault_ == Fault::kAccepts;
    if (fault_ == Fault::kText) items[count - 1].text[items[count - 1].length - 1] ^= 1;
  }

 private:
  Fault fault_;
  std::unique_ptr<AeadBackend> inner_;
};

void TestSelfTest() {
  using Fault = BrokenBackend::Fault;
  for (Fault fault : {Fault::kNone, Fault::kTag, Fault::kAccepts, Fault::kText, Fault::kSetKey, Fault::kSeal,
                      Fault::kOtherKey}) {
    BrokenBackend backend(fault);
    EXPECT(AeadSelfTest(backend) == (fault == Fault::kNone));
  }
}

}  // namespace

int main() {
  Random random(ChooseSeed());
  TestReference();
  std::map<std::string, std::unique_ptr<Aead>> aeads;
  std::vector<Bytes> keys;
  for (int i = 0; i < kKeys; i++) keys.push_back(RandomBytes(random, 32));
  for (const char* name : AeadBackendNames()) {
    AeadBackendChoice choice = MakeAeadBackend(name, kKeys + 1);
    if (!choice.backend) {
      std::printf("%s: %s\n", name, choice.reason.c_str());
      EXPECT(!choice.reason.empty() && choice.reason.find("self-test") == std::string::npos);
      continue;
    }
    EXPECT(std::string(choice.backend->name()) == name);
    auto aead = std::make_unique<Aead>(std::move(choice.backend), kKeys);
    for (int k = 0; k < kKeys; k++) EXPECT(aead->SetKey(k, keys[size_t(k)].data()) == 0);
    aeads[name] = std::move(aead);
  }
  EXPECT(!aeads.empty());
  TestLengths(aeads);
  TestAlignments(aeads);
  for (auto& [name, aead] : aeads) {
    caseName = name.c_str();
    TestRfc8439(*aead);
    for (int i = 0; i < 150; i++) TestBatch(*aead, random, keys);
    TestRefusals(*aead);
    TestKeys(*aead);
  }
  caseName = "";
  TestSelfTest();
  return TestResult();
}
