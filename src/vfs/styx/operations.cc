#include "vfs/styx/operations.h"

#include <algorithm>

namespace fusebox::vfs {
namespace {

constexpr std::uint32_t kRootFid = 0;
constexpr std::size_t kWalkHeaderBytes = 17;  // size[4] type[1] tag[2] fid[4] newfid[4] nwname[2]

// The components one Twalk takes off the front of `path`: as many as the protocol and the message size allow.
std::vector<std::string_view> take_names(std::string_view& path, std::uint32_t message_bytes) {
  std::vector<std::string_view> names;
  std::size_t bytes = kWalkHeaderBytes;
  while (!path.empty() && names.size() < kStyxWalkNames) {
    const std::string_view name = path.substr(0, path.find('/'));
    bytes += 2 + name.size();
    if (bytes > message_bytes) break;
    names.push_back(name);
    path.remove_prefix(std::min(path.size(), name.size() + 1));
  }
  return names;
}

}  // namespace

std::uint8_t open_mode(const OpenRequest& request) noexcept {
  const std::uint8_t access = !request.write ? 0 : request.read ? 2 : 1;
  return request.truncate ? access | kStyxTruncate : access;
}

Io<StyxQid> walk(Exchange& exchange, std::uint32_t fid, std::string_view path) {
  StyxQid at{.type = 0x80, .version = 0, .path = 0};
  bool first = true;
  do {
    const auto names = take_names(path, exchange.message_bytes_max());
    if (names.empty() && !first) return fail(Errno::nametoolong);
    MessageWriter message(StyxType::walk);
    message.u32(first ? kRootFid : fid).u32(fid).u16(static_cast<std::uint16_t>(names.size()));
    for (const std::string_view name : names) message.text(name);
    const auto body = exchange.ask(message);
    if (!body) return fail(body.error());
    const auto qids = read_walk(*body, names.size());
    if (!qids) return exchange.lied();
    if (qids->size() < names.size()) return fail(Errno::noent);
    if (!qids->empty()) at = qids->back();
    first = false;
  } while (!path.empty());
  return at;
}

Io<StyxOpened> open_fid(Exchange& exchange, std::uint32_t fid, std::uint8_t mode) {
  const auto body = exchange.ask(MessageWriter(StyxType::open).u32(fid).u8(mode));
  if (!body) return fail(body.error());
  const auto opened = read_opened(*body);
  if (!opened) return exchange.lied();
  return *opened;
}

Io<Stat> stat_of(Exchange& exchange, std::uint32_t fid) {
  const auto body = exchange.ask(MessageWriter(StyxType::stat).u32(fid));
  if (!body) return fail(body.error());
  const auto stat = read_stat_reply(*body);
  if (!stat) return exchange.lied();
  return Stat{.device = device_code("Styx"),
              .inode = inode_of(stat->qid),
              .type = type_of(stat->qid),
              .size = stat->qid.directory() ? 0 : stat->length};
}

Io<void> change(Exchange& exchange, std::uint32_t fid, const StyxChange& what) {
  constexpr std::uint32_t kSame32 = UINT32_MAX;  // all ones, and an empty text: as it is
  constexpr std::uint64_t kSame64 = UINT64_MAX;
  MessageWriter fields(StyxType::wstat);  // only what follows its header is used
  fields.u16(UINT16_MAX).u32(kSame32).u8(UINT8_MAX).u32(kSame32).u64(kSame64).u32(kSame32);  // type, dev, qid, mode
  fields.u32(kSame32).u32(what.modified_s.value_or(kSame32)).u64(what.length.value_or(kSame64));
  fields.text(what.name).text({}).text({}).text({});
  const std::string stat = fields.finish(0).substr(kStyxHeaderBytes);
  const auto size = static_cast<std::uint16_t>(stat.size());
  const auto done = exchange.ask(
      MessageWriter(StyxType::wstat).u32(fid).u16(static_cast<std::uint16_t>(size + 2)).u16(size).raw(stat));
  if (!done) return fail(done.error());
  return {};
}

Io<std::optional<std::uint32_t>> modified_seconds(const Call& call, SetTime accessed, SetTime modified) {
  if (modified.how == SetTime::How::keep) {
    if (accessed.how != SetTime::How::keep) return fail(Errno::notsup);
    return std::nullopt;
  }
  const std::uint64_t ns = modified.how == SetTime::How::now
                               ? static_cast<std::uint64_t>(std::max<base::Nanos::rep>(call.clock.wall().count(), 0))
                               : modified.ns;
  const std::uint64_t seconds = ns / 1'000'000'000;
  if (seconds >= UINT32_MAX) return fail(Errno::inval);
  return static_cast<std::uint32_t>(seconds);
}

FileType type_of(const StyxQid& qid) noexcept {
  return qid.directory() ? FileType::directory : FileType::regular;
}
std::uint64_t inode_of(const StyxQid& qid) noexcept {
  return qid.path != 0 ? qid.path : UINT64_MAX;
}

}  // namespace fusebox::vfs
