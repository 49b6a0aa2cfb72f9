#include "vfs/device/ed25519_strict.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace fusebox::vfs {
namespace {

// Numbers below 2^256, least significant byte first, as they stand in keys and signatures.
using Number = std::array<std::uint8_t, 32>;

constexpr Number filled(std::uint8_t first, std::uint8_t middle, std::uint8_t last) {
  Number number;
  number.fill(middle);
  number.front() = first;
  number.back() = last;
  return number;
}

// 2^255 - 19, the field's prime.
constexpr Number kPrime = filled(0xed, 0xff, 0x7f);
// 2^252 + 27742317777372353535851937790883648493, the order of the base point.
constexpr Number kOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                           0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                           0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
// The y of the eight points whose order divides 8; x only differs in sign.
constexpr std::array<Number, 5> kSmallOrder = {{
    filled(0, 0, 0),           // order 4
    filled(1, 0, 0),           // the neutral point
    filled(0xec, 0xff, 0x7f),  // order 2
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
}};

Number number_of(std::span<const std::byte, 32> bytes) {
  Number number;
  std::ranges::transform(bytes, number.begin(), [](std::byte b) { return static_cast<std::uint8_t>(b); });
  return number;
}

bool less(const Number& a, const Number& b) {
  return std::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend());
}

bool sound_point(std::span<const std::byte, 32> encoded) {
  Number y = number_of(encoded);
  y.back() &= 0x7f;  // the sign of x
  return less(y, kPrime) && std::ranges::find(kSmallOrder, y) == kSmallOrder.end();
}

}  // namespace

bool ed25519_verify_strict(const base::Ed25519PublicKey& key, base::ByteView message,
                           const base::Ed25519Signature& signature) {
  const std::span<const std::byte, 64> both(signature.bytes);
  return less(number_of(both.last<32>()), kOrder) && sound_point(both.first<32>()) && sound_point(key.bytes) &&
         base::ed25519_verify(key, message, signature).has_value();
}

}  // namespace fusebox::vfs
