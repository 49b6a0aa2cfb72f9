// A bounded cursor over the binary format of WebAssembly.
//
// The first problem sticks: every later read gives zero, at_end() is true, and error() says what and where. So a
// caller may read a whole record and look once.
// Owner    borrows the bytes.
// Threads  one at a time.
// Units    offsets are bytes from the start of the module.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace fusebox::engine::wasm {

class Reader {
 public:
  explicit Reader(base::ByteView bytes, std::uint64_t offset = 0) noexcept
      : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()), base_(offset) {}

  bool ok() const noexcept { return !failed_; }
  bool at_end() const noexcept { return at_ == end_; }
  std::uint64_t offset() const noexcept { return base_ + static_cast<std::uint64_t>(at_ - begin_); }
  std::uint64_t left() const noexcept { return static_cast<std::uint64_t>(end_ - at_); }
  const std::byte* position() const noexcept { return at_; }

  std::uint8_t u8() noexcept {
    if (at_ == end_) {
      fail_at("unexpected end", base::Errc::invalid);
      return 0;
    }
    return static_cast<std::uint8_t>(*at_++);
  }
  std::uint8_t peek() const noexcept { return at_ == end_ ? std::uint8_t{0} : static_cast<std::uint8_t>(*at_); }

  std::uint32_t u32() noexcept {
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) return static_cast<std::uint8_t>(*at_++);
    return static_cast<std::uint32_t>(unsigned_leb(32));
  }
  std::uint64_t u64() noexcept { return unsigned_leb(64); }
  std::int32_t s32() noexcept { return static_cast<std::int32_t>(signed_leb(32)); }
  std::int64_t s33() noexcept { return signed_leb(33); }
  std::int64_t s64() noexcept { return signed_leb(64); }

  base::ByteView bytes(std::uint64_t size) noexcept;
  std::string_view name();  // length, then UTF-8
  // A count of things of at least one byte each: `exhausted` above `max`, `invalid` when the bytes cannot hold them.
  std::uint32_t count(std::uint32_t max, std::string_view what);
  // The next `size` bytes as a reader of their own, with the same offsets.
  Reader sub(std::uint64_t size) noexcept;

  // Records a problem at `at`; the first one stays.
  void fail(base::Errc code, std::string what, std::uint64_t at);
  base::Error error() const;

 private:
  void fail_at(std::string_view what, base::Errc code) noexcept;
  std::uint64_t unsigned_leb(unsigned bits) noexcept;
  std::int64_t signed_leb(unsigned bits) noexcept;

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  std::uint64_t base_;
  bool failed_ = false;
  base::Errc code_ = base::Errc::invalid;
  std::uint64_t failed_offset_ = 0;
  std::string what_;
};

// "invalid" and friends with the place in hexadecimal and decimal, as disassemblers print it.
std::string at_offset(std::string_view what, std::uint64_t offset);

}  // namespace fusebox::engine::wasm
