// Decodes one gzip member of a length known beforehand, byte by byte if need be, into one small buffer.
//
// Nothing is kept of the input: what take() took has gone through the decoder, and all it decodes to is in the output,
// unless the output is full. FEXTRA, FNAME, FCOMMENT are skipped; FHCRC, CRC32 and ISIZE are checked.
//
// Threads  one at a time.
// Errors   broken() stays true: wrong magic, method, reserved bits or check sums, corrupt deflate data, a member that is
//          shorter or longer than declared.
// Contract containers.md 8.3
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "vfs/device/limits.h"

namespace fusebox::vfs {

class GzipMember {
 public:
  // Null without memory for the decoder's window.
  static std::unique_ptr<GzipMember> create(std::uint32_t member_bytes);
  ~GzipMember();
  GzipMember(const GzipMember&) = delete;
  GzipMember& operator=(const GzipMember&) = delete;

  // How many of `bytes` were taken: all, but for a full output and the end of the member.
  std::size_t take(std::span<const std::byte> bytes);
  // Decoded bytes not yet dropped; empty when broken.
  std::span<const std::byte> output() const noexcept;
  void drop(std::size_t bytes);
  bool output_full() const noexcept { return filled_ == output_.size(); }
  bool all_taken() const noexcept { return left_ == 0; }
  bool broken() const noexcept { return phase_ == Phase::broken; }

 private:
  struct Decoder;
  enum class Phase : std::uint8_t {
    fixed,
    extra_size,
    extra,
    name,
    comment,
    header_check,
    deflate,
    trailer,
    done,
    broken
  };
  GzipMember(std::uint32_t member_bytes, std::unique_ptr<Decoder> decoder) noexcept;
  std::size_t take_header(std::span<const std::byte> bytes);
  void header_byte(std::uint8_t byte);
  void fixed_byte(std::uint8_t byte);
  void next_header_part(Phase after);
  std::size_t inflate(std::span<const std::byte> bytes);
  void trailer_byte(std::uint8_t byte);
  void check_end() noexcept;

  std::uint32_t left_;  // declared bytes not yet taken
  std::unique_ptr<Decoder> decoder_;
  Phase phase_ = Phase::fixed;
  std::uint8_t flags_ = 0;
  std::uint32_t at_ = 0;     // within the part of header or trailer under way
  std::uint32_t value_ = 0;  // the number under way
  std::uint32_t extra_left_ = 0;
  std::uint32_t header_crc_ = 0;
  std::uint32_t data_crc_ = 0;
  std::uint32_t data_size_ = 0;  // modulo 2^32, as ISIZE
  std::array<std::byte, kInflateOutputBytes> output_;
  std::size_t filled_ = 0;
};

}  // namespace fusebox::vfs
