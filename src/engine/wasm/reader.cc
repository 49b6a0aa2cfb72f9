#include "engine/wasm/reader.h"

#include <cstdio>

#include "engine/limits.h"

namespace fusebox::engine::wasm {

std::string at_offset(std::string_view what, std::uint64_t offset) {
  char place[64];
  std::snprintf(place, sizeof place, " at offset %llu (0x%llx)", static_cast<unsigned long long>(offset),
                static_cast<unsigned long long>(offset));
  return std::string(what) + place;
}

void Reader::fail(base::Errc code, std::string what, std::uint64_t at) {
  at_ = end_;
  if (failed_) return;
  failed_ = true;
  code_ = code;
  what_ = std::move(what);
  failed_offset_ = at;
}

void Reader::fail_at(std::string_view what, base::Errc code) noexcept {
  fail(code, std::string(what), offset());
}

base::Error Reader::error() const {
  return base::Error{code_, at_offset(what_, failed_offset_), {}, nullptr};
}

std::uint64_t Reader::unsigned_leb(unsigned bits) noexcept {
  const std::uint64_t start = offset();
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < bits; shift += 7) {
    const std::uint8_t byte = u8();
    if (failed_) return 0;
    const unsigned room = bits - shift;
    if (room < 7 && (byte & 0x7f) >> room != 0) {
      fail(base::Errc::invalid, "integer too large", start);
      return 0;
    }
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  fail(base::Errc::invalid, "integer representation too long", start);
  return 0;
}

std::int64_t Reader::signed_leb(unsigned bits) noexcept {
  const std::uint64_t start = offset();
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < bits; shift += 7) {
    const std::uint8_t byte = u8();
    if (failed_) return 0;
    const unsigned room = bits - shift;
    if (room < 7) {
      // The unused bits of the last byte repeat the sign.
      const unsigned high = static_cast<unsigned>(byte & 0x7f) >> (room - 1);
      const unsigned ones = 0x7fU >> (room - 1);
      if (high != 0 && high != ones) {
        fail(base::Errc::invalid, "integer too large", start);
        return 0;
      }
    }
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      const unsigned used = shift + 7;
      if (used < 64 && (byte & 0x40) != 0) value |= ~std::uint64_t{0} << used;
      return static_cast<std::int64_t>(value);
    }
  }
  fail(base::Errc::invalid, "integer representation too long", start);
  return 0;
}

base::ByteView Reader::bytes(std::uint64_t size) noexcept {
  if (size > left()) {
    fail_at("unexpected end", base::Errc::invalid);
    return {};
  }
  const base::ByteView view(at_, static_cast<std::size_t>(size));
  at_ += size;
  return view;
}

std::string_view Reader::name() {
  const std::uint64_t start = offset();
  const std::uint32_t size = u32();
  if (size > kNameBytesMax) {
    fail(base::Errc::exhausted,
         "name of " + std::to_string(size) + " bytes, the most allowed is " + std::to_string(kNameBytesMax), start);
    return {};
  }
  const std::string_view text = base::as_text(bytes(size));
  if (ok() && !base::is_utf8(text)) {
    fail(base::Errc::invalid, "name is not valid UTF-8", start);
    return {};
  }
  return text;
}

std::uint32_t Reader::count(std::uint32_t max, std::string_view what) {
  const std::uint64_t start = offset();
  const std::uint32_t n = u32();
  if (n > max) {
    fail(base::Errc::exhausted,
         std::to_string(n) + " " + std::string(what) + ", the most allowed is " + std::to_string(max), start);
    return 0;
  }
  if (n > left()) {
    fail(base::Errc::invalid, "count of " + std::string(what) + " is larger than what follows", start);
    return 0;
  }
  return n;
}

Reader Reader::sub(std::uint64_t size) noexcept {
  const std::uint64_t start = offset();
  Reader inner(bytes(size), start);
  return inner;
}

}  // namespace fusebox::engine::wasm
