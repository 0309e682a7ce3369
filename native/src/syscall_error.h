// What a cold function returns: a value, or which system call failed and why. The advice is errors.ts's.
#pragma once

#include <cerrno>

namespace tuntap {

struct Outcome {
  int value;         // >= 0, or -errno
  const char* call;  // static string naming the failed call; nullptr when value >= 0

  bool failed() const { return value < 0; }
};

inline Outcome Succeeded(int value = 0) { return Outcome{value, nullptr}; }
/// Takes errno as the failed call left it.
inline Outcome Failed(const char* call) { return Outcome{-errno, call}; }
inline Outcome FailedWith(int error, const char* call) { return Outcome{-error, call}; }

}  // namespace tuntap
