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

// What stands in the vector registers would otherwise reach the stack when somebody saves them.
TUNTAP_AVX512_INLINE void WipeAvx512Registers() {
  __asm__ volatile(
      ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
      "vpxord %%zmm\\r, %%zmm\\r, %%zmm\\r\n.endr"
      :
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
        "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26",
        "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

inline bool CpuHasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi2");
}

inline bool CpuHasAvx2() { return __builtin_cpu_supports("avx2"); }

}  // namespace tuntap

#endif
