// What operations of the mount and of its Files are made of.
//
// Threads  within StyxClient::run().
#pragma once

#include "vfs/mount.h"
#include "vfs/styx/client.h"

namespace fusebox::vfs {

inline constexpr std::uint8_t kStyxTruncate = 0x10;

std::uint8_t open_mode(const OpenRequest& request) noexcept;
// From the root to `path` ("" = the root). noent: some component is not there.
Io<StyxQid> walk(Exchange& exchange, std::uint32_t fid, std::string_view path);
Io<StyxOpened> open_fid(Exchange& exchange, std::uint32_t fid, std::uint8_t mode);
Io<Stat> stat_of(Exchange& exchange, std::uint32_t fid);
// Twstat that changes the name alone.
MessageWriter rename_message(std::uint32_t fid, std::string_view name);

FileType type_of(const StyxQid& qid) noexcept;
std::uint64_t inode_of(const StyxQid& qid) noexcept;  // never zero

}  // namespace fusebox::vfs
