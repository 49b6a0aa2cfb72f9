#include "vfs/styx/message.h"

#include <algorithm>

namespace fusebox::vfs {
namespace {

constexpr std::size_t kNameBytesMax = 255;  // of a component, contract 7.1

bool sound_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kNameBytesMax && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

}  // namespace

MessageWriter& MessageWriter::number(std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
  return *this;
}
MessageWriter& MessageWriter::text(std::string_view value) {
  u16(static_cast<std::uint16_t>(value.size()));
  return raw(value);
}
MessageWriter& MessageWriter::raw(std::string_view bytes) {
  bytes_ += bytes;
  return *this;
}
std::string MessageWriter::finish(std::uint16_t tag) const {
  std::string message = bytes_;
  for (std::size_t i = 0; i < 4; ++i) message[i] = static_cast<char>(message.size() >> (8 * i) & 0xff);
  message[5] = static_cast<char>(tag & 0xff);
  message[6] = static_cast<char>(tag >> 8);
  return message;
}

std::string_view MessageReader::raw(std::size_t size) noexcept {
  if (!ok_ || size > left_.size()) {
    ok_ = false;
    return {};
  }
  const std::string_view taken = left_.substr(0, size);
  left_.remove_prefix(size);
  return taken;
}
std::uint64_t MessageReader::number(std::size_t bytes) noexcept {
  std::uint64_t value = 0;
  std::size_t at = 0;
  for (const char c : raw(bytes)) value |= static_cast<std::uint64_t>(static_cast<unsigned char>(c)) << (8 * at++);
  return value;
}

StyxQid read_qid(MessageReader& from) noexcept {
  StyxQid qid;
  qid.type = from.u8();
  qid.version = from.u32();
  qid.path = from.u64();
  return qid;
}

std::optional<StyxStat> read_stat(MessageReader& from) {
  MessageReader entry(from.raw(from.u16()));
  StyxStat stat;
  entry.u16();  // type and
  entry.u32();  // device of the server's kernel
  stat.qid = read_qid(entry);
  stat.mode = entry.u32();
  entry.u32();  // accessed
  entry.u32();  // modified
  stat.length = entry.u64();
  stat.name = entry.text();
  for (int i = 0; i < 3; ++i) entry.text();  // owner, group, last writer
  if (!from.ok() || !entry.at_end()) return std::nullopt;
  return stat;
}

FrameState take_frame(std::string& buffer, std::uint32_t message_bytes, StyxFrame& frame) {
  if (buffer.size() < 4) return FrameState::incomplete;
  MessageReader reader(buffer);
  const std::uint32_t size = reader.u32();
  if (size < kStyxHeaderBytes || size > message_bytes) return FrameState::broken;
  if (buffer.size() < size) return FrameState::incomplete;
  frame.type = reader.u8();
  frame.tag = reader.u16();
  frame.body = buffer.substr(kStyxHeaderBytes, size - kStyxHeaderBytes);
  buffer.erase(0, size);
  return FrameState::whole;
}

std::optional<StyxVersion> read_version(std::string_view body) {
  MessageReader reader(body);
  StyxVersion version;
  version.message_bytes = reader.u32();
  version.spoken = reader.text() == "9P2000";
  if (!reader.at_end()) return std::nullopt;
  return version;
}

std::optional<std::vector<StyxQid>> read_walk(std::string_view body, std::size_t asked) {
  MessageReader reader(body);
  const std::uint16_t count = reader.u16();
  if (count > asked) return std::nullopt;
  std::vector<StyxQid> qids;
  for (std::uint16_t i = 0; i < count; ++i) qids.push_back(read_qid(reader));
  if (!reader.at_end()) return std::nullopt;
  return qids;
}

std::optional<StyxOpened> read_opened(std::string_view body) {
  MessageReader reader(body);
  StyxOpened opened;
  opened.qid = read_qid(reader);
  opened.unit = reader.u32();
  if (!reader.at_end()) return std::nullopt;
  return opened;
}

std::optional<std::string_view> read_data(std::string_view body, std::uint32_t asked) {
  MessageReader reader(body);
  const std::uint32_t count = reader.u32();
  if (count > asked) return std::nullopt;
  const std::string_view data = reader.raw(count);
  if (!reader.at_end()) return std::nullopt;
  return data;
}

std::optional<std::uint32_t> read_written(std::string_view body, std::uint32_t asked) {
  MessageReader reader(body);
  const std::uint32_t count = reader.u32();
  if (!reader.at_end() || count > asked) return std::nullopt;
  return count;
}

std::optional<StyxStat> read_stat_reply(std::string_view body) {
  MessageReader outer(body);
  MessageReader inner(outer.raw(outer.u16()));
  auto stat = read_stat(inner);
  if (!outer.at_end() || !inner.at_end()) return std::nullopt;
  return stat;
}

std::optional<std::vector<StyxStat>> read_entries(std::string_view listing) {
  MessageReader reader(listing);
  std::vector<StyxStat> entries;
  while (!reader.at_end()) {
    auto entry = read_stat(reader);
    if (!entry || entries.size() == kStyxEntriesMax) return std::nullopt;
    if (entry->name == "." || entry->name == "..") continue;
    if (!sound_name(entry->name)) return std::nullopt;
    entries.push_back(std::move(*entry));
  }
  return entries;
}

}  // namespace fusebox::vfs
