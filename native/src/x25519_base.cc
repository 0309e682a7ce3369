#include "x25519_base.h"

#include <string.h>

#include "field25519.h"
#include "secret_memory.h"

namespace tuntap {
namespace {

constexpr int kScalarBytes = 32;
constexpr int kDigits = 64;    // of the scalar, in base 16, each from −8 to 8
constexpr int kRows = 32;      // one for each byte: multiples of 256^row · B
constexpr int kMultiples = 8;

// RFC 8032 5.1, little-endian: the base point's coordinates, and twice d.
constexpr uint8_t kBaseX[32] = {0x1a, 0xd5, 0x25, 0x8f, 0x60, 0x2d, 0x56, 0xc9, 0xb2, 0xa7, 0x25, 0x95, 0x60, 0xc7, 0x2c, 0x69,
                                0x5c, 0xdc, 0xd6, 0xfd, 0x31, 0xe2, 0xa4, 0xc0, 0xfe, 0x53, 0x6e, 0xcd, 0xd3, 0x36, 0x69, 0x21};
constexpr uint8_t kBaseY[32] = {0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};
constexpr uint8_t kD[32] = {0xa3, 0x78, 0x59, 0x13, 0xca, 0x4d, 0xeb, 0x75, 0xab, 0xd8, 0x41, 0x41, 0x4d, 0x0a, 0x70, 0x00,
                            0x98, 0xe8, 0x79, 0x77, 0x79, 0x40, 0xc7, 0x8c, 0x73, 0xfe, 0x6f, 0x2b, 0xee, 0x6c, 0x03, 0x52};

// Extended coordinates: x = X / Z, y = Y / Z, x · y = T / Z. All four are products.
struct Point {
  Field x, y, z, t;
};

// What an addition takes of an affine point.
struct Addend {
  Field sum;         // y + x
  Field difference;  // y − x
  Field product;     // 2d · x · y
};

struct Table {
  Addend rows[kRows][kMultiples];
  Table();
};

// Both formulas end in four sums whose products are the result.
Point Finish(const Field& e, const Field& f, const Field& g, const Field& h) { return Point{e * f, g * h, f * g, e * h}; }

// Hisil et al. 3.1 with a = −1 and Z2 = 1: complete, so that the neutral element and doubling need no care.
Point Add(const Point& p, const Addend& q) {
  const Field a = (p.y - p.x) * q.difference;
  const Field b = (p.y + p.x) * q.sum;
  const Field c = p.t * q.product;
  const Field d = p.z + p.z;
  return Finish(b - a, d - c, d + c, b + a);
}

// Hisil et al. 3.3 with a = −1; signs turned so that no difference is subtracted.
Point Double(const Point& p) {
  const Field a = Square(p.x);
  const Field b = Square(p.y);
  const Field c = Square(p.z);
  const Field h = b + a;
  return Finish(Square(p.x + p.y) - h, (c + c + a) - b, b - a, h);
}

Point DoubleTimes(Point p, int times) {
  for (int i = 0; i < times; ++i) p = Double(p);
  return p;
}

Addend ToAddend(const Point& p, const Field& twiceD) {
  const Field inverse = Invert(p.z);
  const Field x = p.x * inverse;
  const Field y = p.y * inverse;
  // By one: limbs of a product, as the additions' bounds want them.
  return Addend{(y + x) * kOne, (y - x) * kOne, x * y * twiceD};
}

Table::Table() {
  const Field d = FromBytes(kD);
  const Field twiceD = (d + d) * kOne;
  const Field x = FromBytes(kBaseX);
  const Field y = FromBytes(kBaseY);
  Point first = {x, y, kOne, x * y};
  for (auto& row : rows) {
    Point p = first;
    for (int i = 0; i < kMultiples; ++i) {
      if (i > 0) p = Add(p, row[0]);
      row[i] = ToAddend(p, twiceD);
    }
    first = DoubleTimes(first, 8);
  }
}

// All ones if a == b, else 0; both below 2^31.
uint64_t MaskIfEqual(uint32_t a, uint32_t b) { return uint64_t(0) - (uint64_t((a ^ b) - uint32_t(1)) >> 31 & 1); }

void Choose(Field& into, const Field& from, uint64_t mask) {
  for (int i = 0; i < 5; ++i) into.limb[i] ^= mask & (into.limb[i] ^ from.limb[i]);
}

// digit · 256^row · B. Reads the whole row, whatever the digit.
Addend Select(const Addend (&row)[kMultiples], int digit) {
  const uint32_t sign = uint32_t(digit) >> 31;
  const uint32_t size = (uint32_t(digit) ^ (0 - sign)) + sign;
  Addend chosen = {kOne, kOne, kZero};
  for (uint32_t i = 0; i < kMultiples; ++i) {
    const uint64_t mask = MaskIfEqual(size, i + 1);
    Choose(chosen.sum, row[i].sum, mask);
    Choose(chosen.difference, row[i].difference, mask);
    Choose(chosen.product, row[i].product, mask);
  }
  const uint64_t negative = uint64_t(0) - sign;
  const Addend opposite = {chosen.difference, chosen.sum, kZero - chosen.product};
  Choose(chosen.sum, opposite.sum, negative);
  Choose(chosen.difference, opposite.difference, negative);
  Choose(chosen.product, opposite.product, negative);
  return chosen;
}

// Base 16 with digits from −8 to 7, and the last one to 8: 254 is the highest bit of a clamped scalar.
void ToDigits(int8_t* digits, const uint8_t* scalar) {
  for (int i = 0; i < kScalarBytes; ++i) {
    const int byte = i == 0 ? scalar[i] & 248 : i == kScalarBytes - 1 ? (scalar[i] & 127) | 64 : scalar[i];
    digits[2 * i] = int8_t(byte & 15);
    digits[2 * i + 1] = int8_t(byte >> 4);
  }
  int carry = 0;
  for (int i = 0; i < kDigits - 1; ++i) {
    const int digit = digits[i] + carry;
    carry = (digit + 8) >> 4;
    digits[i] = int8_t(digit - carry * 16);
  }
  digits[kDigits - 1] = int8_t(digits[kDigits - 1] + carry);
}

struct Secrets {
  int8_t digits[kDigits];
  Point sum;
  Addend addend;
  Field u;
};

__attribute__((noinline)) void Multiply(uint8_t* out, const uint8_t* scalar, const Table& table) {
  Secrets s;
  ToDigits(s.digits, scalar);
  s.sum = Point{kZero, kOne, kOne, kZero};
  // The high halves of all bytes, sixteen times those, then the low halves.
  for (int half = 1; half >= 0; --half) {
    for (int row = 0; row < kRows; ++row) {
      s.addend = Select(table.rows[row], s.digits[2 * row + half]);
      s.sum = Add(s.sum, s.addend);
    }
    if (half == 1) s.sum = DoubleTimes(s.sum, 4);
  }
  s.u = (s.sum.z + s.sum.y) * Invert(s.sum.z - s.sum.y);
  ToBytes(out, s.u);
  explicit_bzero(&s, sizeof s);
}

}  // namespace

void X25519BaseByTable(uint8_t* out, const uint8_t* scalar) {
  static const Table table;
  Multiply(out, scalar, table);
  WipeStackBelow();
}

}  // namespace tuntap
