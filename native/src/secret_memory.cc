#include "secret_memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace tuntap {

std::unique_ptr<SecretMemory> SecretMemory::Make(size_t bytes) {
  const size_t page = size_t(sysconf(_SC_PAGESIZE));
  const size_t rounded = (bytes + page - 1) / page * page;
  void* p = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  madvise(p, rounded, MADV_DONTDUMP);
  const bool locked = mlock(p, rounded) == 0;
  return std::unique_ptr<SecretMemory>(new (std::nothrow) SecretMemory(static_cast<uint8_t*>(p), rounded, locked));
}

SecretMemory::~SecretMemory() {
  explicit_bzero(data_, bytes_);
  munmap(data_, bytes_);
}

__attribute__((noinline)) void WipeStackBelow() {
  uint8_t area[2048];
  explicit_bzero(area, sizeof(area));
}

__attribute__((noinline)) void WipeDeepStackBelow() {
  uint8_t area[8192];
  explicit_bzero(area, sizeof(area));
}

}  // namespace tuntap
