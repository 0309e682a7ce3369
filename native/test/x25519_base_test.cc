// Numbers modulo 2^255 − 19 at the edges of their limbs, and public keys against RFC 7748; aead.test.ts compares many more of those
// with libcrypto.
#include "x25519_base.h"

#include <string>
#include <vector>

#include "expect.h"
#include "field25519.h"

using namespace tuntap;

namespace {

using Number = std::vector<uint8_t>;

Number Bytes32(const Field& x) {
  Number bytes(32);
  ToBytes(bytes.data(), x);
  return bytes;
}

Field Random(uint64_t& state) {
  Field x;
  for (auto& limb : x.limb) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    limb = state >> 13;
  }
  return x;
}

// The product the schoolbook way: bit by bit, doubling and adding, each brought below p.
Field Slow(const Field& a, const Field& b) {
  const Number bits = Bytes32(b * kOne);
  Field sum = kZero;
  for (int bit = 254; bit >= 0; --bit) {
    sum = FromBytes(Bytes32((sum + sum) * kOne).data());
    if ((bits[size_t(bit / 8)] >> (bit % 8) & 1) != 0) sum = FromBytes(Bytes32((sum + a) * kOne).data());
  }
  return sum;
}

void TestArithmetic() {
  uint64_t state = 1;
  const uint64_t top = (uint64_t(1) << 54) - 1;
  std::vector<Field> numbers = {kZero, kOne, {{top, top, top, top, top}}, {{top, 0, 0, 0, top}}, {{0, 0, 0, 0, kLimbMask}},
                                {{kLimbMask - 18, kLimbMask, kLimbMask, kLimbMask, kLimbMask}},
                                {{kLimbMask - 19, kLimbMask, kLimbMask, kLimbMask, kLimbMask}},
                                {{kLimbMask, kLimbMask, kLimbMask, kLimbMask, kLimbMask}}};
  for (int i = 0; i < 8; ++i) numbers.push_back(Random(state) * kOne);
  for (const Field& a : numbers) {
    EXPECT(Bytes32(Square(a)) == Bytes32(a * a));
    const bool isZero = Bytes32(a * kOne) == Number(32);
    EXPECT(Bytes32(Invert(a) * a) == (isZero ? Number(32) : Bytes32(kOne)));
    for (const Field& b : numbers) {
      EXPECT(Bytes32(a * b) == Bytes32(Slow(a * kOne, b)));
      const Field x = a * kOne;
      const Field y = b * kOne;
      EXPECT(Bytes32((x - y + y) * kOne) == Bytes32(x));
      EXPECT(Bytes32((x - (y + y) + y + y) * kOne) == Bytes32(x));
    }
  }
}

void TestBytes() {
  // p − 1, p and p + 18 = 2^255 − 1.
  Number bytes(32, 0xff);
  bytes[31] = 0x7f;
  EXPECT(Bytes32(FromBytes(bytes.data()))[0] == 18);
  bytes[0] = 0xed;
  EXPECT(Bytes32(FromBytes(bytes.data())) == Number(32));
  bytes[0] = 0xec;
  EXPECT(Bytes32(FromBytes(bytes.data())) == bytes);
  bytes[31] = 0xff;
  EXPECT(Bytes32(FromBytes(bytes.data()))[31] == 0x7f);
}

Number Hex(const char* text) {
  Number bytes;
  for (const char* at = text; *at != 0; at += 2) bytes.push_back(uint8_t(std::stoi(std::string(at, 2), nullptr, 16)));
  return bytes;
}

// RFC 7748 6.1.
void TestPublicKeys() {
  const char* pairs[2][2] = {
      {"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
       "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"},
      {"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
       "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"},
  };
  for (const auto& pair : pairs) {
    Number key = Hex(pair[0]);
    X25519BaseByTable(key.data(), key.data());
    EXPECT(key == Hex(pair[1]));
  }
}

}  // namespace

int main() {
  TestArithmetic();
  TestBytes();
  TestPublicKeys();
  return tuntap::test::TestResult();
}
