// The forms of names, addresses and paths that callers give.
//
// Threads  pure functions.
// Contract control-plane.md 5.2, 11.3
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fusebox::fleet {

bool is_task_id(std::string_view text) noexcept;      // 1..128 of [A-Za-z0-9._:@+~-], not . or ..
bool is_label(std::string_view text) noexcept;        // ^[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$
bool is_expose_name(std::string_view text) noexcept;  // ^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$
bool is_host_id(std::string_view text) noexcept;      // ^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$
bool is_vm_prefix(std::string_view text) noexcept;    // ^[a-z0-9][a-z0-9-]{0,23}$
// ^[1-7]g\.\d+gb(\+me)?$ without regard to case.
bool is_gpu_profile(std::string_view text) noexcept;
// Names a card family that cannot be cut into slices.
bool lacks_mig(std::string_view gpu_kind) noexcept;
// amd64 or arm64 for their aliases, "" for "", nothing for another.
std::optional<std::string> normal_arch(std::string_view text);
// Absolute, no empty, `.` or `..` segments, no NUL and no line end; not `/`.
bool is_clean_path(std::string_view text) noexcept;
bool is_below_fuse(std::string_view path) noexcept;  // `/fuse` or below

// `scheme://host[:port][/path]` with one of `schemes`: host present, port valid, no control character, space or userinfo.
enum class UrlTail : bool { path_only, any };  // any: query and fragment, too
bool is_url(std::string_view text, std::span<const std::string_view> schemes, UrlTail tail) noexcept;

std::string lower_case(std::string_view text);

}  // namespace fusebox::fleet
