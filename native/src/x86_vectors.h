// What the vector files share: target attributes for their functions, and the checks that this CPU may enter them.
#pragma once

#if defined(__x86_64__)

// GCC before 13 takes the "undefined" operand inside its own intrinsics for a use of an uninitialized variable.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

// Per function, so that no other code of the addon is compiled with instructions that the CPU may lack.
#define TUNTAP_AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512ifma,avx512vbmi2")))
#define TUNTAP_AVX512_INLINE TUNTAP_AVX512 __attribute__((always_inline)) static inline
// Never inlined, so that what it spills stands below its caller's frame, where WipeStackBelow reaches.
#define TUNTAP_AVX512_CALL TUNTAP_AVX512 __attribute__((noinline))
#define TUNTAP_AVX2 __attribute__((target("avx2")))
#define TUNTAP_AVX2_CALL TUNTAP_AVX2 __attribute__((noinline))
#define TUNTAP_AVX2_INLINE TUNTAP_AVX2 __attribute__((always_inline)) static inline

namespace tuntap {

inline bool CpuHasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi2");
}

inline bool CpuHasAvx2() { return __builtin_cpu_supports("avx2"); }

}  // namespace tuntap

#endif
