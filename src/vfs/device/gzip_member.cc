#include "vfs/device/gzip_member.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace fusebox::vfs {
namespace {

constexpr std::uint8_t kHeaderCheck = 0x02, kExtra = 0x04, kName = 0x08, kComment = 0x10, kReserved = 0xe0;
constexpr std::uint32_t kFixedBytes = 10, kTrailerBytes = 8;
constexpr int kRawWindowBits = -15;  // 32 KiB, no header of zlib's own

std::uint32_t crc_of(std::uint32_t so_far, const void* data, std::size_t size) noexcept {
  return static_cast<std::uint32_t>(crc32(so_far, static_cast<const Bytef*>(data), static_cast<uInt>(size)));
}

}  // namespace

struct GzipMember::Decoder {
  z_stream stream{};
  ~Decoder() { inflateEnd(&stream); }
};

std::unique_ptr<GzipMember> GzipMember::create(std::uint32_t member_bytes) {
  auto decoder = std::make_unique<Decoder>();
  if (inflateInit2(&decoder->stream, kRawWindowBits) != Z_OK) return nullptr;
  return std::unique_ptr<GzipMember>(new GzipMember(member_bytes, std::move(decoder)));
}

GzipMember::GzipMember(std::uint32_t member_bytes, std::unique_ptr<Decoder> decoder) noexcept
    : left_(member_bytes), decoder_(std::move(decoder)) {}
GzipMember::~GzipMember() = default;

std::size_t GzipMember::take(std::span<const std::byte> bytes) {
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), left_));
  std::size_t taken = 0;
  while (taken < bytes.size() && !broken()) {
    const auto rest = bytes.subspan(taken);
    std::size_t n = 0;
    if (phase_ < Phase::deflate) {
      n = take_header(rest);
    } else if (phase_ == Phase::deflate) {
      n = inflate(rest);
      if (n == 0 && phase_ == Phase::deflate) break;  // the output is full
    } else if (phase_ == Phase::trailer) {
      trailer_byte(static_cast<std::uint8_t>(rest[0]));
      n = 1;
    } else {
      phase_ = Phase::broken;  // bytes after the trailer, inside the declared length
    }
    taken += n;
    left_ -= static_cast<std::uint32_t>(n);
  }
  // Of a broken member the rest of a write counts as taken: its error shows from the next call on.
  if (broken()) {
    left_ -= static_cast<std::uint32_t>(bytes.size() - taken);
    return bytes.size();
  }
  check_end();
  return taken;
}

std::size_t GzipMember::take_header(std::span<const std::byte> bytes) {
  std::size_t n = 0;
  while (n < bytes.size() && phase_ < Phase::deflate) header_byte(static_cast<std::uint8_t>(bytes[n++]));
  return n;
}

void GzipMember::header_byte(std::uint8_t byte) {
  if (phase_ != Phase::header_check) header_crc_ = crc_of(header_crc_, &byte, 1);
  switch (phase_) {
    case Phase::fixed:
      return fixed_byte(byte);
    case Phase::extra_size:
      value_ |= static_cast<std::uint32_t>(byte) << (8 * at_);
      if (++at_ < 2) return;
      extra_left_ = value_;
      if (extra_left_ == 0) return next_header_part(Phase::extra);
      phase_ = Phase::extra;
      return;
    case Phase::extra:
      if (--extra_left_ == 0) next_header_part(Phase::extra);
      return;
    case Phase::name:
    case Phase::comment:
      if (byte == 0) next_header_part(phase_);
      return;
    case Phase::header_check:
      value_ |= static_cast<std::uint32_t>(byte) << (8 * at_);
      if (++at_ < 2) return;
      phase_ = value_ == (header_crc_ & 0xffff) ? Phase::deflate : Phase::broken;
      return;
    default:
      return;
  }
}

void GzipMember::fixed_byte(std::uint8_t byte) {
  const bool sound = (at_ == 0 && byte == 0x1f) || (at_ == 1 && byte == 0x8b) || (at_ == 2 && byte == Z_DEFLATED) ||
                     (at_ == 3 && (byte & kReserved) == 0) || at_ > 3;
  if (!sound) {
    phase_ = Phase::broken;
    return;
  }
  if (at_ == 3) flags_ = byte;
  if (++at_ == kFixedBytes) next_header_part(Phase::fixed);
}

void GzipMember::next_header_part(Phase after) {
  at_ = 0;
  value_ = 0;
  if (after < Phase::extra_size && (flags_ & kExtra) != 0) {
    phase_ = Phase::extra_size;
  } else if (after < Phase::name && (flags_ & kName) != 0) {
    phase_ = Phase::name;
  } else if (after < Phase::comment && (flags_ & kComment) != 0) {
    phase_ = Phase::comment;
  } else {
    phase_ = (flags_ & kHeaderCheck) != 0 ? Phase::header_check : Phase::deflate;
  }
}

std::size_t GzipMember::inflate(std::span<const std::byte> bytes) {
  z_stream& stream = decoder_->stream;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(output_.data() + filled_);
  stream.avail_out = static_cast<uInt>(output_.size() - filled_);
  const int result = ::inflate(&stream, Z_NO_FLUSH);
  const std::size_t made = output_.size() - filled_ - stream.avail_out;
  data_crc_ = crc_of(data_crc_, output_.data() + filled_, made);
  data_size_ += static_cast<std::uint32_t>(made);
  filled_ += made;
  if (result == Z_STREAM_END) {
    phase_ = Phase::trailer;
    at_ = 0;
    value_ = 0;
  } else if (result != Z_OK && result != Z_BUF_ERROR) {  // Z_BUF_ERROR: nothing to do with what there is
    phase_ = Phase::broken;
  }
  return bytes.size() - stream.avail_in;
}

void GzipMember::trailer_byte(std::uint8_t byte) {
  value_ |= static_cast<std::uint32_t>(byte) << (8 * (at_ % 4));
  ++at_;
  if (at_ % 4 != 0) return;
  if (value_ != (at_ == 4 ? data_crc_ : data_size_)) phase_ = Phase::broken;
  value_ = 0;
  if (at_ == kTrailerBytes && !broken()) phase_ = Phase::done;
}

// The input ended early.
void GzipMember::check_end() noexcept {
  if (left_ == 0 && phase_ != Phase::done) phase_ = Phase::broken;
}

std::span<const std::byte> GzipMember::output() const noexcept {
  if (broken()) return {};
  return std::span(output_).first(filled_);
}

void GzipMember::drop(std::size_t bytes) {
  std::memmove(output_.data(), output_.data() + bytes, filled_ - bytes);
  filled_ -= bytes;
  // What the decoder still held of the input it took.
  if (phase_ == Phase::deflate) inflate({});
}

}  // namespace fusebox::vfs
