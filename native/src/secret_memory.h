// Memory for keys: outside core dumps, locked against swapping where the limits allow it, wiped when it goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace tuntap {

class SecretMemory {
 public:
  /// @return zeroed memory, page aligned, or nullptr when the kernel has none.
  static std::unique_ptr<SecretMemory> Make(size_t bytes);
  ~SecretMemory();
  SecretMemory(const SecretMemory&) = delete;
  SecretMemory& operator=(const SecretMemory&) = delete;

  uint8_t* data() const { return data_; }
  /// Whether mlock(2) succeeded (RLIMIT_MEMLOCK or CAP_IPC_LOCK).
  bool locked() const { return locked_; }

 private:
  SecretMemory(uint8_t* data, size_t bytes, bool locked) : data_(data), bytes_(bytes), locked_(locked) {}

  uint8_t* data_;
  size_t bytes_;
  bool locked_;
};

/// Overwrites the 2 KiB of stack below the caller's frame: what functions that it called just before spilled there.
void WipeStackBelow();
/// The same of 8 KiB, for functions that spill more.
void WipeDeepStackBelow();

}  // namespace tuntap
