// Messages of 9P2000: written with MessageWriter, read with MessageReader, which believes no count it has not checked.
//
// Threads  plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/styx/limits.h"

namespace fusebox::vfs {

enum class StyxType : std::uint8_t {
  version = 100,
  attach = 104,
  error = 106,  // Rerror is 107
  flush = 108,
  walk = 110,
  open = 112,
  create = 114,
  read = 116,
  write = 118,
  clunk = 120,
  remove = 122,
  stat = 124,
  wstat = 126,
};
constexpr std::uint8_t reply_to(StyxType type) noexcept {
  return static_cast<std::uint8_t>(static_cast<std::uint8_t>(type) + 1);
}
inline constexpr std::uint8_t kStyxError = 107;
inline constexpr std::uint16_t kStyxNoTag = 0xffff;
inline constexpr std::uint32_t kStyxNoFid = 0xffffffff;
inline constexpr std::size_t kStyxHeaderBytes = 7;         // size[4] type[1] tag[2]
inline constexpr std::uint32_t kStyxDataHeaderBytes = 24;  // what surrounds the data of Twrite and Rread, rounded up
inline constexpr std::uint32_t kStyxDirectoryMode = 0x80000000;

class MessageWriter {
 public:
  explicit MessageWriter(StyxType type) : bytes_(kStyxHeaderBytes, '\0') { bytes_[4] = static_cast<char>(type); }
  MessageWriter& u8(std::uint8_t value) { return number(value, 1); }
  MessageWriter& u16(std::uint16_t value) { return number(value, 2); }
  MessageWriter& u32(std::uint32_t value) { return number(value, 4); }
  MessageWriter& u64(std::uint64_t value) { return number(value, 8); }
  MessageWriter& text(std::string_view value);  // at most 65535 bytes
  MessageWriter& raw(std::string_view bytes);
  StyxType type() const noexcept { return static_cast<StyxType>(bytes_[4]); }
  std::string finish(std::uint16_t tag) const;

 private:
  MessageWriter& number(std::uint64_t value, int bytes);
  std::string bytes_;
};

// Reads from the front; after the first thing that does not fit, ok() is false and everything read is zero or empty.
class MessageReader {
 public:
  explicit MessageReader(std::string_view bytes) noexcept : left_(bytes) {}
  std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u32() noexcept { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() noexcept { return number(8); }
  std::string_view raw(std::size_t size) noexcept;
  std::string_view text() noexcept { return raw(u16()); }
  bool ok() const noexcept { return ok_; }
  bool at_end() const noexcept { return ok_ && left_.empty(); }
  std::size_t left() const noexcept { return left_.size(); }

 private:
  std::uint64_t number(std::size_t bytes) noexcept;
  std::string_view left_;
  bool ok_ = true;
};

struct StyxQid {
  std::uint8_t type = 0;
  std::uint32_t version = 0;
  std::uint64_t path = 0;
  bool directory() const noexcept { return (type & 0x80) != 0; }
};
StyxQid read_qid(MessageReader& from) noexcept;

struct StyxStat {
  StyxQid qid;
  std::uint32_t mode = 0;
  std::uint64_t length = 0;
  std::string name;
};
// One entry of a directory or of Rstat's body: size[2] and what it covers.
std::optional<StyxStat> read_stat(MessageReader& from);

// What came in: type, tag and the rest, once there is enough of it.
struct StyxFrame {
  std::uint8_t type = 0;
  std::uint16_t tag = 0;
  std::string body;
};
enum class FrameState : std::uint8_t { incomplete, whole, broken };
// Takes the first message off `buffer`; broken: its size is below the header's or above `message_bytes`.
FrameState take_frame(std::string& buffer, std::uint32_t message_bytes, StyxFrame& frame);

// The contents of replies, checked against what was asked; nothing: the server lies.
struct StyxVersion {
  std::uint32_t message_bytes = 0;
  bool spoken = false;  // it speaks 9P2000
};
std::optional<StyxVersion> read_version(std::string_view body);
std::optional<std::vector<StyxQid>> read_walk(std::string_view body, std::size_t asked);
struct StyxOpened {
  StyxQid qid;
  std::uint32_t unit = 0;  // most bytes of one read or write; 0 = no such bound
};
std::optional<StyxOpened> read_opened(std::string_view body);
std::optional<std::string_view> read_data(std::string_view body, std::uint32_t asked);
std::optional<std::uint32_t> read_written(std::string_view body, std::uint32_t asked);
std::optional<StyxStat> read_stat_reply(std::string_view body);
// All entries of what directory reads gave; nothing when one is cut or has a name no directory holds.
std::optional<std::vector<StyxStat>> read_entries(std::string_view listing);

}  // namespace fusebox::vfs
