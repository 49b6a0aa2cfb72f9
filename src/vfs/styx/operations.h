// What operations of the mount and of its Files are made of.
//
// Threads  within StyxClient::run().
#pragma once

#include <optional>

#include "vfs/mount.h"
#include "vfs/styx/client.h"

namespace fusebox::vfs {

inline constexpr std::uint8_t kStyxTruncate = 0x10;

std::uint8_t open_mode(const OpenRequest& request) noexcept;
// From the root to `path` ("" = the root). noent: some component is not there.
Io<StyxQid> walk(Exchange& exchange, std::uint32_t fid, std::string_view path);
Io<StyxOpened> open_fid(Exchange& exchange, std::uint32_t fid, std::uint8_t mode);
Io<Stat> stat_of(Exchange& exchange, std::uint32_t fid);
// What a Twstat changes; everything else stays as it is.
struct StyxChange {
  std::optional<std::uint32_t> modified_s{};
  std::optional<std::uint64_t> length{};
  std::string_view name{};  // "" = stays
};
Io<void> change(Exchange& exchange, std::uint32_t fid, const StyxChange& what);
// The time of the last change in the protocol's seconds; nothing when it stays. `inval`: beyond what it can say. `notsup`:
// only the time of the last access is to be set, which is the server's.
Io<std::optional<std::uint32_t>> modified_seconds(const Call& call, SetTime accessed, SetTime modified);

FileType type_of(const StyxQid& qid) noexcept;
std::uint64_t inode_of(const StyxQid& qid) noexcept;  // never zero

}  // namespace fusebox::vfs
