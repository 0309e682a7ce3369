// Keys leave no trace: secret memory is what it says, and once a key is cleared, or its AEAD gone, no writable memory of
// the process holds it, neither as it was given nor word by word as vector code spreads it.
#include <alloca.h>

#include <cerrno>
#include <memory>

#include "aead.h"
#include "aead_reference.h"
#include "expect.h"
#include "key_table.h"
#include "secret_memory.h"
#include "x25519_pairs.h"
#include "x86_vectors.h"

// The stack of newer sanitizers is a copy elsewhere, which nobody wipes: here the real one is looked at.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() { return "detect_stack_use_after_return=0"; }

using namespace tuntap;
using namespace tuntap::test;

namespace {

// The key is kept here inverted, so that the search does not find this copy.
struct HiddenKey {
  explicit HiddenKey(Random& random) {
    for (uint8_t& b : inverted) b = uint8_t(random());
  }
  // Calls `use` with the plain key, then wipes it.
  template <typename F>
  void Reveal(F use) const {
    uint8_t plain[kKeyBytes];
    for (size_t i = 0; i < kKeyBytes; i++) plain[i] = uint8_t(~inverted[i]);
    use(plain);
    explicit_bzero(plain, sizeof(plain));
  }

  uint8_t inverted[kKeyBytes];
};

struct Region {
  uint8_t* from;
  uint8_t* to;
  std::string flags;
};

// Writable memory, with the flags of smaps. AddressSanitizer's shadow is left out: it holds no data.
std::vector<Region> WritableMemory() {
  std::vector<Region> regions;
  FILE* file = fopen("/proc/self/smaps", "r");
  char line[512];
  while (file != nullptr && fgets(line, sizeof(line), file) != nullptr) {
    unsigned long from, to;
    char mode[5];
    if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3) {
      regions.push_back({reinterpret_cast<uint8_t*>(from), reinterpret_cast<uint8_t*>(to), mode});
    } else if (strcmp(line, "Rss:                   0 kB\n") == 0) {
      regions.back().to = regions.back().from;
    } else if (strncmp(line, "VmFlags:", 8) == 0 && !regions.empty()) {
      regions.back().flags += line + 8;
    }
  }
  if (file != nullptr) fclose(file);
  std::vector<Region> writable;
  for (const Region& r : regions) {
    if (r.to > r.from && r.flags.compare(0, 2, "rw") == 0 && size_t(r.to - r.from) < (size_t(1) << 34)) writable.push_back(r);
  }
  return writable;
}

// Places that hold 16 bytes of the key, or eight copies of one of its words.
__attribute__((no_sanitize("address", "undefined"))) int Count(const HiddenKey& key, const std::vector<Region>& memory) {
  uint32_t inverted[8];
  memcpy(inverted, key.inverted, sizeof(inverted));
  std::vector<bool> maybe(65536);  // by the low half of a word, so that nearly all memory is passed at a glance
  for (uint32_t word : inverted) maybe[uint16_t(~word)] = true;
  int found = 0;
  for (const Region& r : memory) {
    const uint32_t* end = reinterpret_cast<const uint32_t*>(r.to) - 8;
    for (const uint32_t* at = reinterpret_cast<const uint32_t*>(r.from); at <= end; at++) {
      if (!maybe[uint16_t(*at)]) continue;
      for (int word = 0; word < 8; word++) {
        int spread = 0, row = 0;
        for (int i = 0; i < 8; i++) {
          spread += at[i] == ~inverted[word];
          row += word + i < 8 && row == i && at[i] == ~inverted[word + i];
        }
        found += spread == 8 || row >= 4;
      }
    }
  }
  return found;
}

int Traces(const HiddenKey& key) { return Count(key, WritableMemory()); }

void TestSecretMemory() {
  const std::unique_ptr<SecretMemory> memory = SecretMemory::Make(10000);
  EXPECT(memory != nullptr);
  for (const Region& r : WritableMemory()) {
    if (memory->data() < r.from || memory->data() >= r.to) continue;
    EXPECT(r.flags.find(" dd") != std::string::npos);
  }
  EXPECT(std::all_of(memory->data(), memory->data() + 10000, [](uint8_t b) { return b == 0; }));
}

void TestKeyTable(Random& random) {
  const HiddenKey key(random);
  const std::unique_ptr<KeyTable> table = KeyTable::Make(3);
  key.Reveal([&](const uint8_t* plain) { table->Set(1, plain); });
  EXPECT(Traces(key) > 0);  // the search itself works
  table->Clear(1);
  EXPECT(std::all_of(table->Get(1), table->Get(1) + kKeyBytes, [](uint8_t b) { return b == 0; }));
  EXPECT(Traces(key) == 0);
}

// Seals and opens enough packets to go through every path of a backend.
void Use(Aead& aead) {
  constexpr int kPackets = 45, kBytes = 1420, kArena = kPackets * (kBytes + 32);
  std::vector<uint64_t> memory(MakeLayout(kPackets, 1, 0, kArena).totalBytes / 8 + 1);
  Batch b = MakeBatch(reinterpret_cast<uint8_t*>(memory.data()), kPackets, 1, 0, kArena);
  for (const int packets : {kPackets, 1}) {
    b.header[kCellPacketCount] = packets;
    b.header[kCellRunCount] = 1;
    b.header[kCellPadLimit] = kBytes;
    b.runCount[0] = packets;
    b.runKind[0] = kRunData;
    for (int i = 0; i < packets; i++) {
      b.packetOffset[i] = 16 + i * (kBytes + 32);
      b.packetLength[i] = kBytes;
    }
    EXPECT(aead.Seal(b) == packets);
    EXPECT(aead.Open(b) == packets);
  }
}

void TestBackend(const char* name, Random& random) {
  const HiddenKey cleared(random), left(random), once(random);
  AeadBackendChoice choice = MakeAeadBackend(name, 3);
  if (!choice.backend) return;
  auto aead = std::make_unique<Aead>(std::move(choice.backend), 2);
  left.Reveal([&](const uint8_t* key) { EXPECT(aead->SetKey(1, key) == 0); });
  cleared.Reveal([&](const uint8_t* key) { EXPECT(aead->SetKey(0, key) == 0); });
  Use(*aead);
  EXPECT(aead->ClearKey(0) == 0);
  EXPECT(Traces(cleared) == 0);
  uint8_t text[kTagBytes] = {};
  AeadItem item{};
  item.text = text;
  once.Reveal([&](const uint8_t* key) { EXPECT(aead->SealOnce(key, item) == 0); });
  EXPECT(Traces(once) == 0);
  EXPECT(Traces(left) > 0);
  aead.reset();
  EXPECT(Traces(left) == 0);
}

#if defined(__x86_64__)
void TestX25519Pairs(Random& random) {
  if (!CpuHasAvx512()) return;
  const HiddenKey scalar(random);
  uint8_t publics[2 * kKeyBytes], shareds[2 * kKeyBytes], scalars[2 * kKeyBytes] = {}, points[2 * kKeyBytes] = {9};
  scalar.Reveal([&](const uint8_t* plain) {
    memcpy(scalars + kKeyBytes, plain, kKeyBytes);
    X25519PairsAvx512(publics, shareds, scalars, points, 2);
  });
  EXPECT(Traces(scalar) > 0);
  explicit_bzero(scalars, sizeof scalars);
  EXPECT(Traces(scalar) == 0);
}
#endif

}  // namespace

int main() {
  Random random(ChooseSeed());
  TestSecretMemory();
  TestKeyTable(random);
#if defined(__x86_64__)
  TestX25519Pairs(random);
#endif
  for (const char* name : AeadBackendNames()) {
    caseName = name;
    // Frames align themselves, so what one leaves and the next covers depends on where the stack stands.
    for (size_t shift = 0; shift < 64; shift += 16) {
      static_cast<volatile char*>(alloca(16))[0] = 0;
      TestBackend(name, random);
    }
  }
  return TestResult();
}
