// Secrets do not decide what the processor does: the ciphers and multiplications that are written here, as they are released, take the
// same instructions in the same order whatever keys, texts and scalars are. The processor's trap flag stops it after each one. Which
// addresses they read and write is not seen. Source: Intel SDM volume 3, 17.3.1.4 (single-step exception); sigaction(2).
#include <signal.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "chacha20.h"
#include "expect.h"
#include "poly1305.h"
#include "tag.h"
#include "x25519_base.h"
#include "x25519_pairs.h"
#include "x86_vectors.h"

using namespace tuntap;

#if defined(__x86_64__)

namespace {

constexpr size_t kTextBytes = 1000;  // with a tail
constexpr size_t kMessages = 3;      // fewer than lanes

// What nobody may learn, and what is made of it.
struct Memory {
  uint8_t secrets[4096];
  uint8_t out[4096];
  uint8_t keyBlock[kMessages][kChaChaBlockBytes];
  uint8_t tail[kMessages][kChaChaBlockBytes];
  ChaChaScratch scratch;
};
Memory memory;

constexpr uint8_t kPoints[4][32] = {{9}, {11}, {13}, {15}};
constexpr uint8_t kNonce[12] = {};

void Base() { X25519BaseByTable(memory.out, memory.secrets); }

void Tags() { memory.out[0] = TagsEqual(memory.secrets, memory.secrets + 16); }

// What must not pass.
void LeakyTags() {
  volatile uint8_t* equal = memory.out;
  *equal = 1;
  for (int i = 0; i < 16 && *equal != 0; ++i) *equal = memory.secrets[i] == memory.secrets[16 + i];
}

void Pairs() { X25519PairsAvx512(memory.out, memory.out + 128, memory.secrets, kPoints[0], 4); }

void ChaCha(void (*cipher)(const ChaChaWork*, size_t, ChaChaScratch&)) {
  ChaChaWork work[kMessages];
  memcpy(memory.out, memory.secrets + 1024, kMessages * kTextBytes);
  for (size_t i = 0; i < kMessages; ++i) {
    const uint32_t whole = 1 + kTextBytes / kChaChaBlockBytes;
    work[i] = {memory.secrets + 32 * i, kNonce, 0, whole + 1, whole, kTextBytes % kChaChaBlockBytes, memory.out + kTextBytes * i,
               memory.keyBlock[i], memory.tail[i]};
  }
  cipher(work, kMessages, memory.scratch);
}

PolyMessage Message(size_t i) {
  return {memory.secrets + kChaChaBlockBytes * i, nullptr, memory.secrets + 1024 + kTextBytes * i, 0, kTextBytes};
}

void Poly(void (*mac)(const PolyMessage*, size_t, uint8_t (*)[16])) {
  PolyMessage messages[kMessages];
  for (size_t i = 0; i < kMessages; ++i) messages[i] = Message(i);
  mac(messages, kMessages, reinterpret_cast<uint8_t(*)[16]>(memory.out));
}

void ChaChaAvx512() { ChaCha(ChaCha20Avx512); }
void ChaChaAvx2() { ChaCha(ChaCha20Avx2); }
void PolyAvx512() { Poly(Poly1305Avx512); }
void PolyAvx2() { Poly(Poly1305Avx2); }
void PolyOneAvx512() { Poly1305OneAvx512(Message(0), memory.out); }
bool Always() { return true; }

struct Subject {
  const char* name;
  bool (*runsHere)();
  void (*run)();
  int fills;  // few where there are many instructions: a virtual machine takes some 20 us for each
};

const Subject kSubjects[] = {
    {"X25519BaseByTable", Always, Base, 3},
    {"TagsEqual", Always, Tags, 6},
    {"X25519PairsAvx512", CpuHasAvx512, Pairs, 2},
    {"ChaCha20Avx512", CpuHasAvx512, ChaChaAvx512, 6},
    {"ChaCha20Avx2", CpuHasAvx2, ChaChaAvx2, 6},
    {"Poly1305Avx512", CpuHasAvx512, PolyAvx512, 6},
    {"Poly1305OneAvx512", CpuHasAvx512, PolyOneAvx512, 6},
    {"Poly1305Avx2", CpuHasAvx2, PolyAvx2, 6},
};
const Subject kLeaky = {"a comparison that ends early", Always, LeakyTags, 2};

// Zeros, then chance, then ones, then chance.
void Fill(int fill) {
  std::mt19937 random(static_cast<unsigned>(fill));
  for (uint8_t& b : memory.secrets) b = fill == 0 ? 0 : fill == 2 ? 0xff : uint8_t(random());
}

using Trace = std::vector<uintptr_t>;

constexpr size_t kStepsMax = 1 << 20;
uintptr_t steps[kStepsMax];
volatile size_t stepCount;

void OnStep(int, siginfo_t*, void* context) {
  if (stepCount == kStepsMax) abort();
  steps[stepCount] = uintptr_t(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
  stepCount = stepCount + 1;
}

// Behind the red zone of the caller.
__attribute__((always_inline)) inline void BeginSteps() {
  __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp" ::: "memory", "cc");
}
__attribute__((always_inline)) inline void EndSteps() {
  __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\tandq $-0x101, (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp" ::: "memory", "cc");
}

// The instructions that it takes.
__attribute__((noinline, noclone)) Trace Follow(const Subject& subject, int fill) {
  Fill(fill);
  subject.run();  // tables made, libraries bound
  stepCount = 0;
  BeginSteps();
  subject.run();
  EndSteps();
  return Trace(steps, steps + stepCount);
}

// The first step at which they part, or how many there are.
size_t PartAt(const Trace& a, const Trace& b) {
  size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  return i;
}

void Check(const Subject& subject) {
  test::caseName = subject.name;
  const Trace first = Follow(subject, 0);
  EXPECT(first.size() > 10);
  for (int fill = 1; fill < subject.fills; ++fill) {
    const Trace other = Follow(subject, fill);
    if (EXPECT(other == first)) continue;
    const size_t step = PartAt(first, other);
    const ptrdiff_t from = step == 0 ? 0 : ptrdiff_t(first[step - 1] - reinterpret_cast<uintptr_t>(subject.run));
    fprintf(stderr, "  after %zu instructions, the last of them %+td bytes from the start of the test's function\n", step, from);
  }
  printf("%s: %zu instructions, %d secrets\n", subject.name, first.size(), subject.fills);
}

}  // namespace

int main() {
  // What is followed wipes its stack below itself: the handler has another one.
  static uint8_t stack[1 << 16];
  stack_t other = {};
  other.ss_sp = stack;
  other.ss_size = sizeof stack;
  struct sigaction action = {};
  action.sa_sigaction = OnStep;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  if (sigaltstack(&other, nullptr) != 0 || sigaction(SIGTRAP, &action, nullptr) != 0) {
    perror("sigaction");
    return 1;
  }
  test::caseName = kLeaky.name;
  EXPECT(Follow(kLeaky, 0) != Follow(kLeaky, 1));
  for (const Subject& subject : kSubjects) {
    if (subject.runsHere()) {
      Check(subject);
    } else {
      printf("%s: this processor cannot\n", subject.name);
    }
  }
  return test::TestResult();
}

#else

int main() {
  std::puts("skipped: only x86-64 lets a program follow itself");
  return 0;
}

#endif
