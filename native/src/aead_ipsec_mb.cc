// The AEAD by intel-ipsec-mb's job API, loaded at run time. IMB_MGR and IMB_JOB change shape between versions, so the
// library must have the major and minor version of the header that this file was compiled with.
// Source: intel-ipsec-mb.h.

#include "aead.h"

#if defined(__x86_64__) && __has_include(<intel-ipsec-mb.h>)

#include <dlfcn.h>
#include <errno.h>
#include <intel-ipsec-mb.h>
#include <string.h>

#include <utility>

#include "key_table.h"
#include "tag.h"

namespace tuntap {

namespace {

struct Library {
  decltype(&imb_get_version) version;
  decltype(&alloc_mb_mgr) alloc;
  decltype(&free_mb_mgr) free;
  decltype(&init_mb_mgr_auto) init;
};

template <typename F>
bool Find(void* library, F& f, const char* name) {
  f = reinterpret_cast<F>(dlsym(library, name));
  return f != nullptr;
}

class IpsecMbBackend final : public AeadBackend {
 public:
  IpsecMbBackend(const Library& library, IMB_MGR* manager, std::unique_ptr<KeyTable> keys)
      : library_(library), manager_(manager), keys_(std::move(keys)) {}

  ~IpsecMbBackend() override { library_.free(manager_); }

  const char* name() const override { return "ipsec-mb"; }

  int SetKey(int slot, const uint8_t* key) override {
    keys_->Set(slot, key);
    return 0;
  }

  void ClearKey(int slot) override { keys_->Clear(slot); }

  int Seal(AeadItem* items, size_t count) override {
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
      IMB_JOB* job = Submit(items[i], items[i].text + items[i].length, IMB_DIR_ENCRYPT, IMB_ORDER_CIPHER_HASH);
      done += Count(job);
    }
    return done + Drain() == count ? 0 : -EIO;
  }

  void Open(AeadItem* items, size_t count) override {
    uint8_t tags[kBurst][kTagBytes];
    for (size_t at = 0; at < count; at += kBurst) {
      const size_t n = count - at < kBurst ? count - at : kBurst;
      size_t done = 0;
      for (size_t i = 0; i < n; i++) {
        done += Count(Submit(items[at + i], tags[i], IMB_DIR_DECRYPT, IMB_ORDER_HASH_CIPHER));
      }
      done += Drain();
      for (size_t i = 0; i < n; i++) {
        AeadItem& item = items[at + i];
        item.good = done == n && TagsEqual(tags[i], item.text + item.length);
      }
    }
    explicit_bzero(tags, sizeof(tags));  // what a forged packet's tag should have been
  }

 private:
  static constexpr size_t kBurst = 64;

  // Hands one message over; @return the oldest finished job, if any.
  IMB_JOB* Submit(const AeadItem& item, uint8_t* tag, IMB_CIPHER_DIRECTION direction, IMB_CHAIN_ORDER order) {
    IMB_JOB* job = IMB_GET_NEXT_JOB(manager_);
    job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    job->cipher_direction = direction;
    job->chain_order = order;
    job->enc_keys = job->dec_keys = keys_->Get(item.key);
    job->key_len_in_bytes = kKeyBytes;
    job->src = item.text;
    job->dst = item.text;
    job->cipher_start_src_offset_in_bytes = 0;
    job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_cipher_in_bytes = item.length;
    job->msg_len_to_hash_in_bytes = item.length;
    job->iv = item.nonce;
    job->iv_len_in_bytes = kNonceBytes;
    job->u.CHACHA20_POLY1305.aad = item.aad;
    job->u.CHACHA20_POLY1305.aad_len_in_bytes = item.aadLength;
    job->auth_tag_output = tag;
    job->auth_tag_output_len_in_bytes = kTagBytes;
    return IMB_SUBMIT_JOB_NOCHECK(manager_);
  }

  // 1 for this job, if it is finished and well, plus every other that is.
  size_t Count(IMB_JOB* job) {
    size_t n = 0;
    for (; job != nullptr; job = IMB_GET_COMPLETED_JOB(manager_)) n += job->status == IMB_STATUS_COMPLETED;
    return n;
  }

  size_t Drain() {
    size_t n = 0;
    while (IMB_JOB* job = IMB_FLUSH_JOB(manager_)) n += job->status == IMB_STATUS_COMPLETED;
    return n;
  }

  Library library_;
  IMB_MGR* manager_;
  std::unique_ptr<KeyTable> keys_;
};

// The library of the header's version, or why there is none.
bool Load(Library& out, std::string& reason) {
  const std::string name = "libIPSec_MB.so." + std::to_string(IMB_VERSION_NUM >> 16);
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed
  if (library == nullptr) {
    reason = name + " not found: install it (apt install libipsec-mb-dev) and build tun-tap-ts again";
    return false;
  }
  if (!Find(library, out.version, "imb_get_version") || !Find(library, out.alloc, "alloc_mb_mgr") ||
      !Find(library, out.free, "free_mb_mgr") || !Find(library, out.init, "init_mb_mgr_auto")) {
    reason = name + " lacks functions of its header: install a matching pair (apt install libipsec-mb-dev)";
    return false;
  }
  const unsigned version = out.version();
  if (version >> 8 == unsigned(IMB_VERSION_NUM) >> 8) return true;
  reason = name + " is version " + std::to_string(version >> 16) + "." + std::to_string(version >> 8 & 255) +
           ", but tun-tap-ts was built against " IMB_VERSION_STR ": build it again (npm run build -w tun-tap-ts)";
  return false;
}

}  // namespace

AeadBackendChoice MakeIpsecMbBackend(int keySlots) {
  AeadBackendChoice choice;
  Library library{};
  if (!Load(library, choice.reason)) return choice;
  std::unique_ptr<KeyTable> keys = KeyTable::Make(keySlots);
  IMB_MGR* manager = keys ? library.alloc(0) : nullptr;
  if (manager == nullptr) {
    choice.reason = "out of memory";
    return choice;
  }
  IMB_ARCH arch = IMB_ARCH_NONE;
  library.init(manager, &arch);
  if (arch == IMB_ARCH_NONE || manager->imb_errno != 0) {
    library.free(manager);
    choice.reason = "intel-ipsec-mb does not support this CPU";
    return choice;
  }
  choice.backend = std::make_unique<IpsecMbBackend>(library, manager, std::move(keys));
  return choice;
}

}  // namespace tuntap

#else

namespace tuntap {

AeadBackendChoice MakeIpsecMbBackend(int) {
  AeadBackendChoice choice;
#if defined(__x86_64__)
  choice.reason = "tun-tap-ts was built without it: install it (apt install libipsec-mb-dev) and build again";
#else
  choice.reason = "intel-ipsec-mb runs on x86-64 only";
#endif
  return choice;
}

}  // namespace tuntap

#endif
