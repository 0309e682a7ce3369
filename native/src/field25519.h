// Numbers modulo p = 2^255 − 19 in five limbs of 51 bits. No branch and no address depends on a value.
// A product has limbs below 2^51 + 2^15 and takes factors with limbs below 2^54: sums of two products and differences of such sums.
// Source: Bernstein, Duif, Lange, Schwabe, Yang, "High-speed high-security signatures", 2011, section 5 (radix 2^51).
#pragma once

#include <cstdint>
#include <cstring>

namespace tuntap {

__extension__ typedef unsigned __int128 Wide;

struct Field {
  uint64_t limb[5];
};

constexpr int kLimbBits = 51;
constexpr uint64_t kLimbMask = (uint64_t(1) << kLimbBits) - 1;
constexpr Field kZero = {{0, 0, 0, 0, 0}};
constexpr Field kOne = {{1, 0, 0, 0, 0}};

inline Field operator+(const Field& a, const Field& b) {
  Field r;
  for (int i = 0; i < 5; ++i) r.limb[i] = a.limb[i] + b.limb[i];
  return r;
}

/// Limbs of `b` must be below 2^53 − 76: 4p is added so that none borrows.
inline Field operator-(const Field& a, const Field& b) {
  constexpr uint64_t kFourP0 = (kLimbMask - 18) * 4;
  constexpr uint64_t kFourP = kLimbMask * 4;
  Field r;
  r.limb[0] = a.limb[0] + kFourP0 - b.limb[0];
  for (int i = 1; i < 5; ++i) r.limb[i] = a.limb[i] + kFourP - b.limb[i];
  return r;
}

inline Field Carry(Wide r0, Wide r1, Wide r2, Wide r3, Wide r4) {
  Field r;
  r1 += r0 >> kLimbBits;
  r2 += r1 >> kLimbBits;
  r3 += r2 >> kLimbBits;
  r4 += r3 >> kLimbBits;
  r.limb[0] = (uint64_t(r0) & kLimbMask) + uint64_t(r4 >> kLimbBits) * 19;
  r.limb[1] = (uint64_t(r1) & kLimbMask) + (r.limb[0] >> kLimbBits);
  r.limb[0] &= kLimbMask;
  r.limb[2] = uint64_t(r2) & kLimbMask;
  r.limb[3] = uint64_t(r3) & kLimbMask;
  r.limb[4] = uint64_t(r4) & kLimbMask;
  return r;
}

inline Field operator*(const Field& x, const Field& y) {
  const uint64_t *a = x.limb, *b = y.limb;
  const uint64_t b1 = b[1] * 19, b2 = b[2] * 19, b3 = b[3] * 19, b4 = b[4] * 19;
  return Carry(Wide(a[0]) * b[0] + Wide(a[1]) * b4 + Wide(a[2]) * b3 + Wide(a[3]) * b2 + Wide(a[4]) * b1,
               Wide(a[0]) * b[1] + Wide(a[1]) * b[0] + Wide(a[2]) * b4 + Wide(a[3]) * b3 + Wide(a[4]) * b2,
               Wide(a[0]) * b[2] + Wide(a[1]) * b[1] + Wide(a[2]) * b[0] + Wide(a[3]) * b4 + Wide(a[4]) * b3,
               Wide(a[0]) * b[3] + Wide(a[1]) * b[2] + Wide(a[2]) * b[1] + Wide(a[3]) * b[0] + Wide(a[4]) * b4,
               Wide(a[0]) * b[4] + Wide(a[1]) * b[3] + Wide(a[2]) * b[2] + Wide(a[3]) * b[1] + Wide(a[4]) * b[0]);
}

inline Field Square(const Field& x) {
  const uint64_t* a = x.limb;
  const uint64_t twice0 = a[0] * 2, twice1 = a[1] * 2, a3 = a[3] * 19, a4 = a[4] * 19, twice2 = a[2] * 2;
  return Carry(Wide(a[0]) * a[0] + Wide(twice1) * a4 + Wide(twice2) * a3,
               Wide(twice0) * a[1] + Wide(twice2) * a4 + Wide(a[3]) * a3,
               Wide(twice0) * a[2] + Wide(a[1]) * a[1] + Wide(a[3] * 2) * a4,
               Wide(twice0) * a[3] + Wide(twice1) * a[2] + Wide(a[4]) * a4,
               Wide(twice0) * a[4] + Wide(twice1) * a[3] + Wide(a[2]) * a[2]);
}

inline Field SquareTimes(Field x, int times) {
  for (int i = 0; i < times; ++i) x = Square(x);
  return x;
}

/// x^(p − 2), which is 1 / x; 0 for 0.
inline Field Invert(const Field& x) {
  // p − 2 = 2^255 − 21: 250 ones, then 01011.
  const Field x2 = Square(x);
  const Field x9 = SquareTimes(x2, 2) * x;
  const Field x11 = x9 * x2;
  const Field ones5 = Square(x11) * x9;  // x^(2^5 − 1)
  const Field ones10 = SquareTimes(ones5, 5) * ones5;
  const Field ones20 = SquareTimes(ones10, 10) * ones10;
  const Field ones40 = SquareTimes(ones20, 20) * ones20;
  const Field ones50 = SquareTimes(ones40, 10) * ones10;
  const Field ones100 = SquareTimes(ones50, 50) * ones50;
  const Field ones200 = SquareTimes(ones100, 100) * ones100;
  const Field ones250 = SquareTimes(ones200, 50) * ones50;
  return SquareTimes(ones250, 5) * x11;
}

/// 32 bytes, little-endian; bit 255 is ignored.
inline Field FromBytes(const uint8_t* bytes) {
  uint64_t w[4];
  memcpy(w, bytes, sizeof w);
  return Field{{w[0] & kLimbMask, (w[0] >> 51 | w[1] << 13) & kLimbMask, (w[1] >> 38 | w[2] << 26) & kLimbMask,
                (w[2] >> 25 | w[3] << 39) & kLimbMask, (w[3] >> 12) & kLimbMask}};
}

/// The number below p, little-endian. Takes limbs of a product.
inline void ToBytes(uint8_t* bytes, const Field& x) {
  uint64_t l[5];
  memcpy(l, x.limb, sizeof l);
  // Below 2^255 + something small: then the quotient by p is whether x + 19 reaches 2^255.
  for (int i = 0; i < 4; ++i) {
    l[i + 1] += l[i] >> kLimbBits;
    l[i] &= kLimbMask;
  }
  l[0] += (l[4] >> kLimbBits) * 19;
  l[4] &= kLimbMask;
  uint64_t quotient = (l[0] + 19) >> kLimbBits;
  for (int i = 1; i < 5; ++i) quotient = (l[i] + quotient) >> kLimbBits;
  l[0] += quotient * 19;
  for (int i = 0; i < 4; ++i) {
    l[i + 1] += l[i] >> kLimbBits;
    l[i] &= kLimbMask;
  }
  l[4] &= kLimbMask;
  const uint64_t w[4] = {l[0] | l[1] << 51, l[1] >> 13 | l[2] << 38, l[2] >> 26 | l[3] << 25, l[3] >> 39 | l[4] << 12};
  memcpy(bytes, w, sizeof w);
}

}  // namespace tuntap
