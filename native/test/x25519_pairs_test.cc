// Scalar multiplications side by side against those that are made one by one: RFC 7748's, and many others.
#include "x25519_pairs.h"

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "expect.h"
#include "field25519.h"
#include "x25519_base.h"
#include "x86_vectors.h"

using namespace tuntap;

#if defined(__x86_64__)

namespace {

using Number = std::vector<uint8_t>;
constexpr size_t kMax = kX25519PairsMax;

Number Hex(const char* text) {
  Number bytes;
  for (const char* at = text; *at != 0; at += 2) bytes.push_back(uint8_t(std::stoi(std::string(at, 2), nullptr, 16)));
  return bytes;
}

// RFC 7748 5, one bit at a time, branches and all.
Number Slow(Number scalar, const Number& point) {
  scalar[0] &= 248;
  scalar[31] = uint8_t((scalar[31] & 127) | 64);
  const Field x1 = FromBytes(point.data());
  const Field a24 = {{121665, 0, 0, 0, 0}};
  Field x2 = kOne, z2 = kZero, x3 = x1, z3 = kOne;
  for (int bit = 254; bit >= 0; --bit) {
    const bool swap = (scalar[size_t(bit / 8)] >> (bit % 8) & 1) != 0;
    if (swap) std::swap(x2, x3), std::swap(z2, z3);
    const Field a = x2 + z2, b = x2 - z2, aa = Square(a), bb = Square(b), e = aa - bb;
    const Field da = (x3 - z3) * a, cb = (x3 + z3) * b;
    x3 = Square(da + cb);
    z3 = x1 * Square(da - cb);
    x2 = aa * bb;
    z2 = e * (aa + a24 * e);
    if (swap) std::swap(x2, x3), std::swap(z2, z3);
  }
  Number out(32);
  ToBytes(out.data(), x2 * Invert(z2));
  return out;
}

struct Pair {
  Number scalar;
  Number point;
};

void Check(const std::vector<Pair>& pairs) {
  uint8_t scalars[kMax * 32], points[kMax * 32];
  uint8_t publics[(kMax + 1) * 32], shareds[(kMax + 1) * 32];
  memset(publics, 0xee, sizeof publics);
  memset(shareds, 0xee, sizeof shareds);
  for (size_t i = 0; i < pairs.size(); ++i) {
    memcpy(scalars + 32 * i, pairs[i].scalar.data(), 32);
    memcpy(points + 32 * i, pairs[i].point.data(), 32);
  }
  X25519PairsAvx512(publics, shareds, scalars, points, pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    Number base(32);
    X25519BaseByTable(base.data(), pairs[i].scalar.data());
    EXPECT(Number(publics + 32 * i, publics + 32 * i + 32) == base);
    EXPECT(Number(shareds + 32 * i, shareds + 32 * i + 32) == Slow(pairs[i].scalar, pairs[i].point));
  }
  for (size_t i = 32 * pairs.size(); i < sizeof publics; ++i) EXPECT(publics[i] == 0xee && shareds[i] == 0xee);
}

// RFC 7748 5.2 and 6.1.
void TestPrinted() {
  const Pair first = {Hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                      Hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")};
  const Pair second = {Hex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
                       Hex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493")};
  const Number results[] = {Hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"),
                            Hex("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957")};
  uint8_t scalars[64], points[64], publics[64], shareds[64];
  for (size_t i = 0; i < 2; ++i) {
    memcpy(scalars + 32 * i, (i == 0 ? first : second).scalar.data(), 32);
    memcpy(points + 32 * i, (i == 0 ? first : second).point.data(), 32);
  }
  X25519PairsAvx512(publics, shareds, scalars, points, 2);
  for (size_t i = 0; i < 2; ++i) EXPECT(Number(shareds + 32 * i, shareds + 32 * i + 32) == results[i]);
  Check({first, second});

  // A thousand times over, each result the next scalar and the last scalar the next point.
  Number k(32), u(32);
  k[0] = u[0] = 9;
  for (int i = 0; i < 1000; ++i) {
    X25519PairsAvx512(publics, shareds, k.data(), u.data(), 1);
    u = k;
    k.assign(shareds, shareds + 32);
  }
  EXPECT(k == Hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

// Points of low order beside others: their zero is theirs alone. And numbers at the edges of limbs and of p.
void TestEdges() {
  Number zero(32), one(32), minusOne(32, 0xff), p(32, 0xff), most(32, 0xff), scalar(32, 0x55);
  one[0] = 1;
  minusOne[0] = 0xec;
  p[0] = 0xed;
  minusOne[31] = p[31] = 0x7f;
  const std::vector<Number> points = {zero, one, minusOne, p, most, Number(32, 0x7f)};
  for (const Number& a : points) {
    Check({{scalar, a}});
    for (const Number& b : points) Check({{scalar, a}, {Number(32, 0xff), b}, {Number(32), Number(32, 0x23)}, {one, a}});
  }
}

void TestMany() {
  uint64_t state = 7;
  const auto random = [&state] {
    Number bytes(32);
    for (auto& byte : bytes) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      byte = uint8_t(state >> 56);
    }
    return bytes;
  };
  for (size_t round = 0; round < 200; ++round) {
    std::vector<Pair> pairs;
    for (size_t i = 0; i <= round % kMax; ++i) pairs.push_back({random(), random()});
    Check(pairs);
  }
}

}  // namespace

int main() {
  if (!CpuHasAvx512()) {
    puts("x25519_pairs_test: skipped, this CPU lacks AVX-512 with IFMA");
    return 0;
  }
  TestPrinted();
  TestEdges();
  TestMany();
  return tuntap::test::TestResult();
}

#else

int main() { return 0; }

#endif
