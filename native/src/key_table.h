// Fixed slots of 32-byte keys in secret memory, for backends that read a key anew for every packet.
#pragma once

#include <string.h>

#include <memory>
#include <new>
#include <utility>

#include "aead.h"
#include "secret_memory.h"

namespace tuntap {

class KeyTable {
 public:
  /// @return nullptr when out of memory.
  static std::unique_ptr<KeyTable> Make(int slots) {
    std::unique_ptr<SecretMemory> memory = SecretMemory::Make(size_t(slots) * kKeyBytes);
    if (!memory) return nullptr;
    return std::unique_ptr<KeyTable>(new (std::nothrow) KeyTable(std::move(memory)));
  }

  void Set(int slot, const uint8_t* key) { memcpy(At(slot), key, kKeyBytes); }
  void Clear(int slot) { explicit_bzero(At(slot), kKeyBytes); }
  const uint8_t* Get(int slot) const { return At(slot); }

 private:
  explicit KeyTable(std::unique_ptr<SecretMemory> memory) : memory_(std::move(memory)) {}
  uint8_t* At(int slot) const { return memory_->data() + size_t(slot) * kKeyBytes; }

  std::unique_ptr<SecretMemory> memory_;
};

}  // namespace tuntap
