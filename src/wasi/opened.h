// Looking up descriptors the way every call does, and the little all calls share.
#pragma once

#include "wasi/process_impl.h"

namespace fusebox::wasi {

// `badf`, or `notcapable` when the rights were shrunk and none of `any_of` is left.
struct Opened {
  vfs::Descriptor* descriptor = nullptr;
  vfs::Errno error = vfs::Errno::badf;

  vfs::Descriptor* operator->() const noexcept { return descriptor; }
  vfs::File& file() const noexcept { return *descriptor->file; }
  bool failed() const noexcept { return error != vfs::Errno::success; }
};

inline Opened opened(const Caller& caller, std::uint32_t fd, vfs::Rights any_of) noexcept {
  vfs::Descriptor* const found = caller.fds().get(fd);
  if (found == nullptr) return {};
  if (found->rights_shrunk && any_of != 0 && (found->base & any_of) == 0) [[unlikely]]
    return {found, vfs::Errno::notcapable};
  return {found, vfs::Errno::success};
}

template <class T>
vfs::Errno error_of(const vfs::Io<T>& answer) noexcept {
  return answer ? vfs::Errno::success : answer.error();
}

// Timestamps of set_times: `inval` for unknown bits, or both forms of one timestamp.
struct Times {
  vfs::SetTime accessed;
  vfs::SetTime modified;
  vfs::Errno error = vfs::Errno::success;
};
inline Times times_of(std::uint64_t accessed, std::uint64_t modified, std::uint32_t flags) noexcept {
  constexpr std::uint32_t kAccessed = 1;
  constexpr std::uint32_t kAccessedNow = 2;
  constexpr std::uint32_t kModified = 4;
  constexpr std::uint32_t kModifiedNow = 8;
  const auto both = [&](std::uint32_t a, std::uint32_t b) { return (flags & (a | b)) == (a | b); };
  if (flags > 15 || both(kAccessed, kAccessedNow) || both(kModified, kModifiedNow)) return {{}, {}, vfs::Errno::inval};
  const auto one = [&](std::uint32_t at, std::uint32_t now, std::uint64_t ns) -> vfs::SetTime {
    using How = vfs::SetTime::How;
    if ((flags & at) != 0) return {How::at, ns};
    return {(flags & now) != 0 ? How::now : How::keep, 0};
  };
  return {one(kAccessed, kAccessedNow, accessed), one(kModified, kModifiedNow, modified)};
}

}  // namespace fusebox::wasi
