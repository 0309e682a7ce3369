// The smallest test harness: EXPECT counts failures and says where; a test's main ends with `return TestResult()`.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace tuntap::test {

inline int failureCount = 0;
inline const char* caseName = "";

inline bool Expect(bool good, const char* what, const char* file, int line) {
  if (good) return true;
  std::fprintf(stderr, "%s:%d: %s%sexpected %s\n", file, line, caseName, *caseName ? ": " : "", what);
  if (++failureCount >= 20) std::exit(1);
  return false;
}

inline int TestResult() {
  if (failureCount == 0) std::puts("ok");
  return failureCount == 0 ? 0 : 1;
}

}  // namespace tuntap::test

#define EXPECT(condition) ::tuntap::test::Expect((condition), #condition, __FILE__, __LINE__)
